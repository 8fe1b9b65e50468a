import { useSignal } from '@preact/signals'
import { useId } from 'preact/hooks'
import { post } from '../api/client'
import type { Interrupt, Json } from '../api/types'
import { t } from '../i18n'
import { Button } from '../ui/basics'
import { JsonView } from '../ui/json'
import { JsonInput } from '../ui/schema-form'
import { attempt } from '../ui/toast'

/** A run that waits for a person: answer, approve or let it go on. */
export function InterruptForm({ id, interrupt, onDone }: { id: string; interrupt: Interrupt; onDone: () => void }) {
  const answer = useSignal('')
  const value = useSignal<Json | undefined>(undefined)
  const field = useId()
  const { expects } = interrupt
  const isBusy = useSignal(false)
  const resume = async (body: object) => {
    isBusy.value = true
    await attempt(() => post(`/threads/${id}/resume`, body), t('threads.resumed'))
    isBusy.value = false
    onDone()
  }
  const note = () => (answer.value.trim() ? { note: answer.value.trim() } : {})
  return (
    <section class="callout callout-wait interrupt" aria-label={t('threads.waits')}>
      <div class="form-grid">
        <h2>{t('threads.waits')}</h2>
        <p>{interrupt.question ?? t('threads.waitsBefore', { node: interrupt.node })}</p>
        {interrupt.details && Object.keys(interrupt.details).length > 0 && <details class="more"><summary>{t('word.details')}</summary><JsonView value={interrupt.details} label={t('word.details')} /></details>}
        {expects === 'text' && <input class="input" aria-label={t('threads.answer')} value={answer.value} onInput={(event) => (answer.value = event.currentTarget.value)} />}
        {expects === 'approval' && <input class="input" aria-label={t('threads.note')} placeholder={t('threads.note')} value={answer.value} onInput={(event) => (answer.value = event.currentTarget.value)} />}
        {expects === 'value' && <><label for={field}>{t('threads.value')}</label><JsonInput id={field} value={value.value} onChange={(next) => (value.value = next)} /></>}
      </div>
      <div class="interrupt-actions">
        {expects === 'approval' && <Button icon="x" disabled={isBusy.value} onClick={() => void resume({ approved: false, ...note() })}>{t('threads.refuse')}</Button>}
        {expects === 'approval' && <Button look="main" icon="check" disabled={isBusy.value} onClick={() => void resume({ approved: true, ...note() })}>{t('threads.approve')}</Button>}
        {expects === 'text' && <Button look="main" disabled={isBusy.value || !answer.value.trim()} onClick={() => void resume({ answer: answer.value })}>{t('threads.answer')}</Button>}
        {expects === 'value' && <Button look="main" disabled={isBusy.value || value.value === undefined} onClick={() => void resume({ value: value.value })}>{t('threads.answer')}</Button>}
        {expects === 'nothing' && <Button look="main" icon="play" disabled={isBusy.value} onClick={() => void resume({})}>{t('threads.goOn')}</Button>}
      </div>
    </section>
  )
}
