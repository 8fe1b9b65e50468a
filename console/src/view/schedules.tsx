import { useSignal } from '@preact/signals'
import { call, post, Problem } from '../api/client'
import type { Firing, Json, Schedule, Schema, Slot } from '../api/types'
import { duration, moment, t } from '../i18n'
import { kinds } from '../state/kinds'
import { usePages, useResource } from '../state/resource'
import { BASE, go, route } from '../state/route'
import { Button, Card, Confirm, Dialog, Empty, Field, Loading, ProblemBox, Segmented, Select, shortId, Status, ViewHead, When } from '../ui/basics'
import { PayloadEditor } from '../ui/payload-editor'
import { initial } from '../ui/schema'
import { attempt, say } from '../ui/toast'

/** Schedules, and what they fired. */
export function SchedulesView() {
  const page = usePages<Schedule>('/schedules', { limit: 50 }, 10_000)
  const isCreating = useSignal(false)
  const removing = useSignal<Schedule | null>(null)
  const chosen = page.items.find((each) => each.id === route.value.parts[1])
  const act = (schedule: Schedule, action: string, done: string) => attempt(() => post(`/schedules/${schedule.id}/${action}`), done).then(page.reload)
  const remove = (schedule: Schedule) => attempt(() => call('DELETE', `/schedules/${schedule.id}`), t('schedules.deleted')).then(() => { go('/schedules'); page.reload() })
  return (
    <div class="view">
      <ViewHead title={t('schedules.title')}>
        <Button icon="refresh" label={t('word.refresh')} onClick={page.reload} />
        <Button look="main" icon="plus" onClick={() => (isCreating.value = true)}>{t('schedules.create')}</Button>
      </ViewHead>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!page.items.length && (page.isLoading ? <Loading /> : !page.problem && <Empty title={t('schedules.empty')} text={t('schedules.emptyText')} icon="schedule" />)}
      {page.items.length > 0 && (
        <Card>
          <table class="grid" aria-label={t('schedules.title')}>
            <thead><tr><th>{t('word.name')}</th><th>{t('word.status')}</th><th>{t('schedules.when')}</th><th>{t('word.kind')}</th><th>{t('schedules.next')}</th><th>{t('schedules.last')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
            <tbody>
              {page.items.map((each) => (
                <tr key={each.id} class={each === chosen ? 'is-chosen' : ''} data-schedule={each.name}>
                  <td><a href={`${BASE}/schedules/${each.id}`} aria-current={each === chosen ? 'true' : undefined}><b>{each.name}</b></a></td>
                  <td><Status of={each.status} />{each.reason && <span class="note">{each.reason}</span>}</td>
                  <td><code>{timing(each)}</code> <span class="faint">{each.timezone}</span></td>
                  <td>{each.kind}</td>
                  <td><When at={each.next_run_at} /></td>
                  <td>{each.last_job_id ? <a href={`${BASE}/jobs/${each.last_job_id}`}><When at={each.last_run_at} /></a> : <When at={each.last_run_at} />}</td>
                  <td class="cell-actions">
                    <Button icon="zap" aria-label={`${t('schedules.runNow')}: ${each.name}`} onClick={() => void act(each, 'run-now', t('schedules.fired'))}>{t('schedules.runNow')}</Button>
                    {each.status === 'active' && <Button icon="pause" label={`${t('schedules.pause')}: ${each.name}`} onClick={() => void act(each, 'pause', t('schedules.paused'))} />}
                    {(each.status === 'paused' || each.status === 'disabled') && <Button icon="play" label={`${t('schedules.resume')}: ${each.name}`} onClick={() => void act(each, 'resume', t('schedules.resumed'))} />}
                    <Button icon="trash" label={`${t('word.delete')}: ${each.name}`} onClick={() => (removing.value = each)} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
        </Card>
      )}
      {chosen && <Chosen key={chosen.id} schedule={chosen} />}
      {isCreating.value && <CreateDialog onClose={() => (isCreating.value = false)} onDone={page.reload} />}
      {removing.value && <Confirm text={t('schedules.confirmDelete', { name: removing.value.name })} action={t('word.delete')} onConfirm={() => removing.value && void remove(removing.value)} onClose={() => (removing.value = null)} />}
    </div>
  )
}

function timing({ cron, interval, run_at }: Schedule): string {
  if (cron) return cron
  return interval ? t('schedules.every', { time: duration(interval) }) : run_at ? moment(run_at) : '–'
}

function Chosen({ schedule }: { schedule: Schedule }) {
  const firings = usePages<Firing>(`/schedules/${schedule.id}/firings`, { limit: 20 }, 5000)
  const preview = useResource<{ items: Slot[] }>(`/schedules/${schedule.id}/preview`, { count: 5 })
  return (
    <div class="two">
      <Card title={`${t('schedules.firings')}: ${schedule.name}`}>
        {firings.items.length === 0 ? <p class="card-quiet">{t('schedules.noFirings')}</p> : (
          <table class="grid" aria-label={t('schedules.firings')}>
            <thead><tr><th>{t('schedules.slot')}</th><th>{t('schedules.outcome')}</th><th>{t('schedules.cause')}</th><th>{t('schedules.lag')}</th><th>{t('schedules.job')}</th></tr></thead>
            <tbody>
              {firings.items.map((each) => (
                <tr key={each.slot + each.fired_at}>
                  <td title={moment(each.slot)}><When at={each.slot} /></td>
                  <td><Status of={each.outcome} /></td>
                  <td>{each.cause}</td>
                  <td class="num">{duration(each.lag)}</td>
                  <td>{each.job_id ? <a href={`${BASE}/jobs/${each.job_id}`}>{each.job ? <Status of={each.job.status} /> : <code>{shortId(each.job_id)}</code>}</a> : <span class="faint">{each.detail ?? '–'}</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {firings.hasMore && <div class="table-foot"><Button onClick={firings.more}>{t('word.more')}</Button></div>}
      </Card>
      <Card title={t('schedules.preview')}>
        <ProblemBox problem={preview.problem} />
        <ol class="slots">{preview.data?.items.map((slot) => <li key={slot.slot}><b>{moment(slot.slot)}</b> <span class="faint"><When at={slot.slot} /></span></li>)}</ol>
      </Card>
    </div>
  )
}

function CreateDialog({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const name = useSignal(kinds.value[0]?.name ?? '')
  const kind = kinds.value.find((each) => each.name === name.value)
  const payload = useSignal<Json | undefined>(kind && initial(kind.payload as Schema, kind.payload as Schema))
  const way = useSignal('cron')
  const problem = useSignal<Problem | null>(null)
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
  const choose = (next: string) => {
    const schema = kinds.value.find((each) => each.name === next)?.payload as Schema | undefined
    name.value = next
    payload.value = schema && initial(schema, schema)
  }
  const submit = async (event: Event) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const read = (field: string) => String(form.get(field) ?? '').trim()
    const when: Record<string, Json> = way.value === 'cron' ? { cron: read('cron') } : way.value === 'interval' ? { interval: Number(read('interval')) } : { run_at: new Date(read('run_at')).toISOString() }
    try {
      await post('/schedules', { name: read('name'), kind: name.value, payload: payload.value ?? {}, timezone: read('timezone'), overlap: read('overlap'), catch_up: read('catch_up'), ...when })
      say(t('schedules.created'))
      onClose()
      onDone()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problem.value = error
    }
  }
  if (!kind) return null
  return (
    <Dialog title={t('schedules.create')} onClose={onClose} wide>
      <form onSubmit={(event) => void submit(event)}>
        <div class="dialog-body">
          <Field label={t('word.name')}>{(id) => <input id={id} class="input" name="name" required maxLength={128} />}</Field>
          <Segmented label={t('schedules.kindOf')} value={way.value} options={[['cron', t('schedules.cron')], ['interval', t('schedules.interval')], ['once', t('schedules.once')]]} onChange={(next) => (way.value = next)} />
          <div class="form-grid form-two">
            {way.value === 'cron' && <Field label={t('schedules.cron')}>{(id) => <input id={id} class="input mono" name="cron" required placeholder="30 9 * * 1-5" spellcheck={false} />}</Field>}
            {way.value === 'interval' && <Field label={t('schedules.intervalSeconds')}>{(id) => <input id={id} class="input" name="interval" type="number" min={1} required />}</Field>}
            {way.value === 'once' && <Field label={t('schedules.runAt')}>{(id) => <input id={id} class="input" name="run_at" type="datetime-local" required />}</Field>}
            <Field label={t('schedules.timezone')}>{(id) => <input id={id} class="input" name="timezone" required value={zone} />}</Field>
            <Field label={t('schedules.overlap')}>{(id) => <NamedSelect id={id} name="overlap" options={['skip', 'buffer_one', 'cancel_other', 'allow']} />}</Field>
            <Field label={t('schedules.catchUp')}>{(id) => <NamedSelect id={id} name="catch_up" options={['fire_once', 'fire_all', 'skip']} />}</Field>
          </div>
          <Field label={t('word.kind')} hint={kind.description}>{(id) => <Select id={id} label={t('word.kind')} value={name.value} options={kinds.value.map((each) => [each.name, each.name] as const)} onChange={choose} />}</Field>
          <PayloadEditor key={name.value} kind={kind} value={payload.value} onChange={(next) => (payload.value = next)} errors={problem.value?.errors ?? []} />
          <ProblemBox problem={problem.value} />
        </div>
        <footer class="dialog-foot"><Button onClick={onClose}>{t('word.cancel')}</Button><Button look="main" type="submit">{t('word.create')}</Button></footer>
      </form>
    </Dialog>
  )
}

function NamedSelect({ id, name, options }: { id: string; name: string; options: string[] }) {
  return <select id={id} name={name} class="select">{options.map((each) => <option key={each} value={each}>{each.replace('_', ' ')}</option>)}</select>
}
