import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { post, Problem } from '../api/client'
import type { JobSummary } from '../api/types'
import { t } from '../i18n'
import { kinds } from '../state/kinds'
import { onUpdates } from '../state/live'
import { usePages } from '../state/resource'
import { BASE, goQuery, route } from '../state/route'
import { isOperator } from '../state/session'
import { Button, Empty, Loading, ProblemBox, Segmented, Select, shortId, Status, ViewHead, When } from '../ui/basics'
import { attempt, say } from '../ui/toast'

const AT_ONCE = 6
const STATUSES = ['failed', 'expired', 'cancelled'] as const

/** Jobs that gave up, to be looked at and retried together. */
export function DeadLettersView() {
  const { query } = route.value
  const status = query.get('status') ?? 'failed'
  const kind = query.get('kind') ?? ''
  const everybody = isOperator() && query.get('whose') !== 'mine'
  const page = usePages<JobSummary>('/jobs', { status, kind, limit: 100, ...(everybody ? { everybody } : {}) })
  const chosen = useSignal<ReadonlySet<string>>(new Set())
  const isBusy = useSignal(false)
  const ids = page.items.map((job) => job.id)
  const picked = ids.filter((id) => chosen.value.has(id))

  useEffect(() => onUpdates((events) => events.some((event) => event.type === `job.${status}` || event.type === 'job.queued') && soon(page.reload)), [status])

  const retryPicked = async () => {
    isBusy.value = true
    const { good, bad } = await retryEach(picked)
    say(bad ? t('dead.partly', { n: good, failed: bad }) : t('dead.retried', { n: good }), bad > 0)
    chosen.value = new Set()
    isBusy.value = false
    page.reload()
  }
  const retryAll = async () => {
    isBusy.value = true
    let count = 0
    await attempt(async () => {
      for (let hasMore = true; hasMore;) {
        const done = await post<{ retried: number; has_more: boolean }>('/jobs/retry', { status: [status], ...(kind ? { kind } : {}) })
        count += done.retried
        hasMore = done.has_more && done.retried > 0
      }
      say(t('dead.retried', { n: count }))
    })
    isBusy.value = false
    page.reload()
  }
  const toggle = (id: string, isOn: boolean) => {
    const next = new Set(chosen.value)
    isOn ? next.add(id) : next.delete(id)
    chosen.value = next
  }
  return (
    <div class="view">
      <ViewHead title={t('dead.title')} sub={t('dead.text')}>
        <Button icon="refresh" label={t('word.refresh')} onClick={page.reload} />
        <Button icon="retry" disabled={isBusy.value || !ids.length} onClick={() => void retryAll()}>{t('dead.retryAll')}</Button>
        <Button look="main" icon="retry" disabled={isBusy.value || !picked.length} onClick={() => void retryPicked()}>{t('dead.retrySelected')}{picked.length > 0 && ` (${picked.length})`}</Button>
      </ViewHead>
      <div class="filters" role="group" aria-label={t('jobs.filters')}>
        {isOperator() && <Segmented label={t('jobs.whose')} value={everybody ? 'everybody' : 'mine'} options={[['everybody', t('jobs.everybody')], ['mine', t('jobs.mine')]]} onChange={(value) => goQuery({ whose: value === 'mine' ? 'mine' : null })} />}
        <Segmented label={t('word.status')} value={status} options={STATUSES.map((each) => [each, t(`status.${each}`)] as const)} onChange={(next) => goQuery({ status: next === 'failed' ? null : next })} />
        <Select label={t('word.kind')} value={kind} options={[['', t('word.kind')], ...kinds.value.map((each) => [each.name, each.name] as const)]} onChange={(next) => goQuery({ kind: next })} />
      </div>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!ids.length && (page.isLoading ? <Loading /> : !page.problem && <Empty title={t('dead.empty')} text={t('dead.emptyText')} icon="check" />)}
      {ids.length > 0 && (
        <div class="card">
          <table class="grid">
            <thead>
              <tr>
                <th><input type="checkbox" class="check" aria-label={t('dead.selectAll')} checked={picked.length === ids.length} onChange={(event) => (chosen.value = new Set(event.currentTarget.checked ? ids : []))} /></th>
                <th>{t('word.kind')}</th><th>{t('word.id')}</th><th>{t('word.status')}</th><th>{t('dead.reason')}</th><th>{t('jobs.attempt')}</th><th>{t('job.finished')}</th>
              </tr>
            </thead>
            <tbody>
              {page.items.map((job) => (
                <tr key={job.id} data-job={job.id} class={chosen.value.has(job.id) ? 'is-chosen' : ''}>
                  <td><input type="checkbox" class="check" aria-label={t('dead.select', { id: shortId(job.id) })} checked={chosen.value.has(job.id)} onChange={(event) => toggle(job.id, event.currentTarget.checked)} /></td>
                  <td><a href={`${BASE}/jobs/${job.id}`}>{job.kind}</a></td>
                  <td><code class="faint" title={job.id}>{shortId(job.id)}</code></td>
                  <td><Status of={job.status} /></td>
                  <td class="cell-wide"><code>{String(job.error?.code ?? '–')}</code> <span class="faint">{String(job.error?.message ?? '')}</span></td>
                  <td class="num">{job.attempt}</td>
                  <td><When at={job.finished_at} /></td>
                </tr>
              ))}
            </tbody>
          </table>
          {page.hasMore && <div class="table-foot"><Button onClick={page.more} disabled={page.isLoading}>{t('word.more')}</Button></div>}
        </div>
      )}
    </div>
  )
}

let timer: ReturnType<typeof setTimeout> | undefined

/** Many updates, one reading. */
function soon(action: () => void): void {
  clearTimeout(timer)
  timer = setTimeout(action, 400)
}

async function retryEach(ids: string[]): Promise<{ good: number; bad: number }> {
  const left = [...ids]
  const counts = { good: 0, bad: 0 }
  const work = async () => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      try {
        await post(`/jobs/${id}/retry`)
        counts.good += 1
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        counts.bad += 1
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return counts
}
