import { useSignal } from '@preact/signals'
import { post, Problem } from '../api/client'
import type { Job, Json, Schema } from '../api/types'
import { t } from '../i18n'
import { kinds } from '../state/kinds'
import { go } from '../state/route'
import { Button, Dialog, Field, ProblemBox, Select } from '../ui/basics'
import { PayloadEditor } from '../ui/payload-editor'
import { initial } from '../ui/schema'
import { say } from '../ui/toast'

/** A new job: its kind, its payload, its options. */
export function SubmitDialog({ onClose }: { onClose: () => void }) {
  const name = useSignal(kinds.value[0]?.name ?? '')
  const kind = kinds.value.find((each) => each.name === name.value)
  const payload = useSignal<Json | undefined>(kind && initial(kind.payload as Schema, kind.payload as Schema))
  const problem = useSignal<Problem | null>(null)
  const isBusy = useSignal(false)

  const choose = (next: string) => {
    const schema = kinds.value.find((each) => each.name === next)?.payload as Schema | undefined
    name.value = next
    problem.value = null
    payload.value = schema && initial(schema, schema)
  }
  const submit = async (event: Event) => {
    event.preventDefault()
    isBusy.value = true
    problem.value = null
    try {
      const options = readOptions(new FormData(event.currentTarget as HTMLFormElement))
      const job = await post<Job>('/jobs', { kind: name.value, payload: payload.value ?? {}, ...options })
      onClose()
      say(t('submit.done'))
      go(`/jobs/${job.id}`)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problem.value = error
    } finally {
      isBusy.value = false
    }
  }
  if (!kind) return null
  return (
    <Dialog title={t('submit.title')} onClose={onClose} wide>
      <form onSubmit={(event) => void submit(event)}>
        <div class="dialog-body">
          <Field label={t('word.kind')} hint={kind.description}>
            {(id) => <Select id={id} label={t('word.kind')} value={name.value} options={kinds.value.map((each) => [each.name, each.name] as const)} onChange={choose} />}
          </Field>
          <PayloadEditor key={name.value} kind={kind} value={payload.value} onChange={(next) => (payload.value = next)} errors={problem.value?.errors ?? []} />
          <details class="more">
            <summary>{t('submit.options')}</summary>
            <div class="form-grid form-two">
              <Field label={t('submit.delay')}>{(id) => <input id={id} class="input" name="delay" type="number" min={0} step="any" />}</Field>
              <Field label={t('submit.priority')}>{(id) => <input id={id} class="input" name="priority" type="number" step={1} />}</Field>
              <Field label={t('submit.attempts')}>{(id) => <input id={id} class="input" name="max_attempts" type="number" min={1} placeholder={String(kind.max_attempts)} />}</Field>
              <Field label={t('submit.timeout')}>{(id) => <input id={id} class="input" name="timeout" type="number" min={0} step="any" placeholder={String(kind.timeout)} />}</Field>
              <Field label={t('submit.expires')}>{(id) => <input id={id} class="input" name="expires_in" type="number" min={0} step="any" />}</Field>
              <Field label={t('submit.tags')}>{(id) => <input id={id} class="input" name="tags" />}</Field>
            </div>
          </details>
          <ProblemBox problem={problem.value} />
        </div>
        <footer class="dialog-foot">
          <Button onClick={onClose}>{t('word.cancel')}</Button>
          <Button look="main" type="submit" disabled={isBusy.value}>{t('submit.submit')}</Button>
        </footer>
      </form>
    </Dialog>
  )
}

function readOptions(form: FormData): Record<string, Json> {
  const options: Record<string, Json> = {}
  for (const name of ['delay', 'priority', 'max_attempts', 'timeout', 'expires_in']) {
    const text = String(form.get(name) ?? '')
    if (text) options[name] = Number(text)
  }
  const tags = String(form.get('tags') ?? '').split(',').map((tag) => tag.trim()).filter(Boolean)
  if (tags.length) options.tags = tags
  return options
}
