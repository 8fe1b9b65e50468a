import { useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { post, Problem } from '../api/client'
import type { Attempt, Job, Json } from '../api/types'
import { between, duration, moment, number, t, tName } from '../i18n'
import { FollowedJob } from '../state/followed-job'
import { kinds } from '../state/kinds'
import { useResource } from '../state/resource'
import { BASE } from '../state/route'
import { Button, Card, Confirm, CopyText, Dialog, Empty, Facts, Loading, ProblemBox, shortId, Status, ViewHead, When } from '../ui/basics'
import { JsonView } from '../ui/json'
import { PayloadEditor } from '../ui/payload-editor'
import { attempt, say } from '../ui/toast'
import { Timeline } from './timeline'
import { WhyItWaits } from './waiting'

/** One job: what it is, where it stands, everything that happened to it. */
export function JobView({ id }: { id: string }) {
  const followed = useMemo(() => new FollowedJob(id), [id])
  useEffect(() => () => followed.close(), [followed])
  const job = followed.job.value
  if (!job) {
    const problem = followed.problem.value
    if (!problem) return <Loading />
    const isGone = problem.status === 410
    return (
      <div class="view">
        <ViewHead title={t('jobs.title')} />
        {isGone || problem.status === 404 ? <Empty title={t('notFound.title')} text={isGone ? t('job.gone') : problem.message} icon="search" /> : <ProblemBox problem={problem} onRetry={() => void followed.read()} />}
      </div>
    )
  }
  return <Shown job={job} followed={followed} />
}

function Shown({ job, followed }: { job: Job; followed: FollowedJob }) {
  const payload = useResource<{ payload: Json }>(`/jobs/${job.id}/payload`)
  const isOver = !['queued', 'running'].includes(job.status)
  const dialog = useSignal<'none' | 'cancel' | 'retry'>('none')
  const reload = () => { payload.reload(); void followed.read() }
  const cancel = () => attempt(async () => {
    const answer = await post<Job>(`/jobs/${job.id}/cancel`)
    say(t(answer.status === 'cancelled' ? 'job.cancelled' : 'job.cancelRequested'))
  }).then(reload)
  const retry = () => attempt(() => post(`/jobs/${job.id}/retry`), t('job.retried')).then(reload)
  const mayRetry = isOver && job.status !== 'succeeded'
  return (
    <div class="view">
      <ViewHead title={job.kind} sub={<span class="job-sub"><Status of={job.status} /><CopyText text={job.id} /></span>}>
        {mayRetry && <Button icon="file" onClick={() => (dialog.value = 'retry')}>{t('job.retryWith')}</Button>}
        {mayRetry && <Button look="main" icon="retry" onClick={() => void retry()}>{t('job.retry')}</Button>}
        {!isOver && <Button look="danger" icon="ban" disabled={job.cancel_requested_at !== null} onClick={() => (dialog.value = 'cancel')}>{t('job.cancel')}</Button>}
      </ViewHead>
      {job.status === 'queued' && job.waiting && <WhyItWaits job={job} onMended={reload} />}
      {job.error && job.status !== 'succeeded' && <ErrorCard error={job.error} />}
      <Progress job={job} />
      <div class="job-grid">
        <div class="job-main">
          <Output followed={followed} isOver={isOver} />
          <Card title={t('job.result')}>{job.result === null || job.result === undefined ? <p class="card-quiet">{t('job.noResult')}</p> : <JsonView value={job.result} label={t('job.result')} />}</Card>
          <Card title={t('job.payload')}>{payload.data ? <JsonView value={payload.data.payload} label={t('job.payload')} /> : <ProblemBox problem={payload.problem} />}</Card>
          <Attempts attempts={followed.attempts.value} />
        </div>
        <div class="job-side">
          <Card title={t('job.timeline')}><Timeline followed={followed} /></Card>
          <Card title={t('job.facts')}><JobFacts job={job} /></Card>
        </div>
      </div>
      {dialog.value === 'cancel' && <Confirm text={job.kind} action={t('job.cancel')} onConfirm={() => void cancel()} onClose={() => (dialog.value = 'none')} />}
      {dialog.value === 'retry' && <RetryDialog job={job} payload={payload.data?.payload} onClose={() => (dialog.value = 'none')} onDone={reload} />}
    </div>
  )
}

function ErrorCard({ error }: { error: Record<string, unknown> }) {
  const { code, message, ...more } = error
  return (
    <section class="callout callout-bad" aria-label={t('job.error')}>
      <h2><code>{String(code ?? 'error')}</code></h2>
      <p>{String(message ?? '')}</p>
      {Object.keys(more).length > 0 && <details class="more"><summary>{t('word.details')}</summary><JsonView value={more} label={t('job.error')} /></details>}
    </section>
  )
}

function Progress({ job }: { job: Job }) {
  const { fraction, message } = (job.progress ?? {}) as { fraction?: number; message?: string }
  if (job.status !== 'running' || typeof fraction !== 'number') return null
  return (
    <div class="progress">
      <progress class="bar bar-wide" max={1} value={fraction} aria-label={t('job.progress')} />
      <span>{number(fraction * 100)} %{message && ` · ${message}`}</span>
    </div>
  )
}

function Output({ followed, isOver }: { followed: FollowedJob; isOver: boolean }) {
  const text = followed.text.value
  if (!text) return null
  return (
    <Card title={t('job.output')} extra={<span class="faint">{t('job.chars', { n: number(text.length) })}{!isOver && <> · <span class="streaming">{t('job.streaming')}</span></>}</span>}>
      <pre class="output" tabIndex={0} role="log" aria-label={t('job.output')} aria-live="off">{text}{!isOver && <span class="caret" aria-hidden="true" />}</pre>
    </Card>
  )
}

function Attempts({ attempts }: { attempts: Attempt[] }) {
  return (
    <Card title={t('job.attempts')}>
      {attempts.length === 0 ? <p class="card-quiet">{t('job.noAttempts')}</p> : (
        <table class="grid">
          <thead><tr><th>#</th><th>{t('job.outcome')}</th><th>{t('jobs.started')}</th><th>{t('job.duration')}</th><th>{t('job.worker')}</th><th>{t('job.error')}</th></tr></thead>
          <tbody>
            {attempts.map((each) => (
              <tr key={each.attempt}>
                <td>{each.attempt}</td>
                <td><Status of={each.outcome} /></td>
                <td><When at={each.started_at} /></td>
                <td class="num">{between(each.started_at, each.finished_at)}</td>
                <td><code class="faint" title={each.worker_id}>{shortId(each.worker_id)}</code></td>
                <td>{each.error ? <><code>{String(each.error.code ?? '')}</code> {String(each.error.message ?? '')}</> : <span class="faint">–</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  )
}

function JobFacts({ job }: { job: Job }) {
  const moments: (readonly [string, string | null])[] = [[t('word.created'), job.created_at], [t('job.runAt'), job.run_at], [t('jobs.started'), job.started_at], [t('job.finished'), job.finished_at]]
  return (
    <Facts items={[
      [t('word.queue'), <a href={`${BASE}/jobs?queue=${job.queue}`}>{job.queue}</a>],
      [t('jobs.attempt'), <>{job.attempt} <span class="faint">{t('job.maxAttempts', { n: job.max_attempts })}</span></>],
      [t('job.failures'), job.failures],
      ...moments.filter(([, at]) => at).map(([name, at]) => [name, <span title={at as string}>{moment(at as string)}</span>] as const),
      ...(job.started_at && job.finished_at ? [[t('job.duration'), between(job.started_at, job.finished_at)] as const] : []),
      [t('job.timeoutSeconds'), duration(job.timeout)],
      [t('job.priority'), job.priority],
      ...(job.tags.length ? [[t('job.tags'), job.tags.map((tag) => <a class="tag" key={tag} href={`${BASE}/jobs?tag=${encodeURIComponent(tag)}`}>{tag}</a>)] as const] : []),
      ...(job.batch_id ? [[t('jobs.batch'), <a href={`${BASE}/jobs?batch=${job.batch_id}`}><code>{shortId(job.batch_id)}</code></a>] as const] : []),
      ...(job.custom_id ? [[t('job.customId'), job.custom_id] as const] : []),
      ...(job.request_id ? [[t('job.request'), <a href={`${BASE}/requests?request_id=${encodeURIComponent(job.request_id)}`}><code>{shortId(job.request_id)}</code></a>] as const] : []),
      [t('word.owner'), <code title={job.owner_id}>{shortId(job.owner_id)}</code>],
      ...(job.metadata && Object.keys(job.metadata).length ? [[t('job.metadata'), <code>{JSON.stringify(job.metadata)}</code>] as const] : []),
    ]} />
  )
}

interface RetryProps {
  job: Job
  payload: Json | undefined
  onClose: () => void
  onDone: () => void
}

function RetryDialog({ job, payload, onClose, onDone }: RetryProps) {
  const kind = kinds.value.find((each) => each.name === job.kind)
  const value = useSignal(payload)
  const problem = useSignal<Problem | null>(null)
  const submit = async (event: Event) => {
    event.preventDefault()
    try {
      await post(`/jobs/${job.id}/retry`, { payload: value.value })
      say(t('job.retried'))
      onClose()
      onDone()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problem.value = error
    }
  }
  return (
    <Dialog title={t('job.retryWith')} onClose={onClose} wide>
      <form onSubmit={(event) => void submit(event)}>
        <div class="dialog-body">
          {kind ? <PayloadEditor kind={kind} value={value.value} onChange={(next) => (value.value = next)} errors={problem.value?.errors ?? []} /> : <p>{tName('word', 'none')}</p>}
          <ProblemBox problem={problem.value} />
        </div>
        <footer class="dialog-foot"><Button onClick={onClose}>{t('word.cancel')}</Button><Button look="main" type="submit">{t('job.retry')}</Button></footer>
      </form>
    </Dialog>
  )
}
