import { useEffect, useMemo } from 'preact/hooks'
import type { JobSummary, LogEntry, Page } from '../api/types'
import { bytes, clock, duration, moment, t } from '../i18n'
import { RequestLog } from '../state/request-log'
import { useResource } from '../state/resource'
import { BASE, goQuery, route } from '../state/route'
import { isOperator } from '../state/session'
import { Button, Card, CopyText, Empty, Facts, Loading, ProblemBox, Segmented, Select, shortId, Status, ViewHead } from '../ui/basics'

const MINUTES: Record<string, number> = { '15m': 15, '1h': 60, '6h': 360, '24h': 1439 }
const TICK = 5000

/** Which requests were answered, and how. */
export function RequestsView() {
  const { query } = route.value
  const wanted = query.get('request_id') ?? ''
  const span = query.get('window') ?? '1h'
  const show = query.get('show') ?? 'changes'
  const log = useMemo(() => new RequestLog({ requestId: wanted, minutes: MINUTES[span] ?? 60, fits: (entry) => wanted !== '' || fits(entry, show) }), [wanted, span, show])
  useEffect(() => {
    const timer = setInterval(() => document.hidden || void log.reload(), TICK)
    return () => {
      clearInterval(timer)
      log.close()
    }
  }, [log])
  const items = log.entries.value
  const reload = () => void log.reload()
  const isOff = log.problem.value?.status === 404
  return (
    <div class="view">
      <ViewHead title={t('requests.title')}><Button icon="refresh" label={t('word.refresh')} onClick={reload} /></ViewHead>
      {isOff ? <Empty title={t('requests.off')} text={t('requests.offText')} icon="scroll" /> : (
        <>
          <div class="filters" role="group" aria-label={t('jobs.filters')}>
            <Segmented label={t('requests.show')} value={show} options={[['all', t('requests.everything')], ['changes', t('requests.changes')], ['errors', t('requests.errors')]]} onChange={(next) => goQuery({ show: next })} />
            <Select label={t('requests.window')} value={span} options={Object.keys(MINUTES).map((each) => [each, t(`requests.${each}` as 'requests.1h')] as const)} onChange={(next) => goQuery({ window: next })} />
            <input class="input filter-id mono" aria-label={t('requests.id')} placeholder={t('requests.id')} value={wanted} onChange={(event) => goQuery({ request_id: event.currentTarget.value.trim() })} />
            {wanted && <Button look="quiet" icon="x" onClick={() => goQuery({ request_id: null })}>{t('jobs.clear')}</Button>}
          </div>
          <ProblemBox problem={log.problem.value} onRetry={reload} />
          {!items.length && (log.isLoading.value ? <Loading /> : <Empty title={t('requests.empty')} text={t('requests.emptyText')} icon="scroll" />)}
          {wanted && items[0] && <Detail entry={items[0]} />}
          {items.length > 0 && <Card><Table items={items} /></Card>}
          {log.reached.value && (
            <div class="table-foot">
              <p class="faint">{t('requests.searched', { time: moment(log.reached.value) })}</p>
              <Button onClick={() => void log.older()} disabled={log.isLoading.value}>{t('requests.older')}</Button>
            </div>
          )}
        </>
      )}
    </div>
  )
}

function fits({ method, status }: LogEntry, show: string): boolean {
  if (show === 'errors') return status >= 400 || status === 0
  return show === 'all' || !['GET', 'HEAD', 'OPTIONS'].includes(method)
}

function Table({ items }: { items: LogEntry[] }) {
  return (
    <table class="grid" aria-label={t('requests.title')}>
      <thead><tr><th>{t('word.time')}</th><th>{t('requests.method')}</th><th>{t('requests.route')}</th><th>{t('requests.code')}</th><th class="num">{t('requests.took')}</th><th class="num">{t('requests.size')}</th><th>{t('requests.user')}</th><th>{t('requests.id')}</th></tr></thead>
      <tbody>
        {items.map((each) => (
          <tr key={each.id} data-request={each.request_id}>
            <td title={moment(each.ts)}><code class="faint">{clock(each.ts)}</code></td>
            <td><b class="method">{each.method}</b></td>
            <td class="cell-wide"><code>{each.path}</code></td>
            <td><Code entry={each} /></td>
            <td class="num">{duration(each.duration_ms / 1000)}</td>
            <td class="num faint">{bytes(each.response_bytes)}</td>
            <td><code class="faint" title={each.user_id ?? undefined}>{each.user_id ? shortId(each.user_id) : '–'}</code></td>
            <td><a href={`${BASE}/requests?request_id=${encodeURIComponent(each.request_id)}`} title={each.request_id}><code>{shortId(each.request_id)}</code></a></td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Code({ entry: { status, error_code } }: { entry: LogEntry }) {
  const tone = status >= 500 || status === 0 ? 'bad' : status >= 400 ? 'warn' : 'good'
  return <span class={`status tone-${tone}`}>{status}{error_code && <span class="status-more">{error_code}</span>}</span>
}

/** One request, and the jobs that it started. */
function Detail({ entry }: { entry: LogEntry }) {
  const jobs = useResource<Page<JobSummary>>('/jobs', { limit: 200, ...(isOperator() ? { everybody: true } : {}) })
  const own = jobs.data?.items.filter((job) => job.request_id === entry.request_id) ?? []
  return (
    <div class="two">
      <Card title={t('requests.detail')}>
        <Facts items={[
          [t('requests.route'), <code>{entry.method} {entry.path}</code>],
          [t('requests.code'), <Code entry={entry} />],
          [t('word.time'), moment(entry.ts)],
          [t('requests.took'), duration(entry.duration_ms / 1000)],
          [t('requests.size'), `${bytes(entry.request_bytes)} → ${bytes(entry.response_bytes)}`],
          [t('requests.user'), entry.user_id && <code>{entry.user_id}</code>],
          [t('requests.id'), <CopyText text={entry.request_id} />],
        ]} />
      </Card>
      <Card title={t('requests.jobs')}>
        {own.length === 0 ? <p class="card-quiet">{t('requests.noJobs')}</p> : (
          <ul class="plain">{own.map((job) => <li key={job.id}><Status of={job.status} /> <a href={`${BASE}/jobs/${job.id}`}>{job.kind}</a> <code class="faint">{shortId(job.id)}</code></li>)}</ul>
        )}
      </Card>
    </div>
  )
}
