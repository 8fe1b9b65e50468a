import { useMemo } from 'preact/hooks'
import type { AuditEvent, User } from '../api/types'
import { moment, t, tName } from '../i18n'
import { usePages, useResource } from '../state/resource'
import { BASE, goQuery, route } from '../state/route'
import { Button, Card, Empty, Loading, ProblemBox, Segmented, Select, shortId, Status, ViewHead } from '../ui/basics'

const OUTCOMES = ['success', 'failure', 'denied'] as const
const DAYS: Record<string, number> = { '1d': 1, '7d': 7, '30d': 30 }

/** What happened in the tenant that concerns security. */
export function AuditView() {
  const { query } = route.value
  const read = (name: string) => query.get(name) ?? ''
  const span = read('window')
  const since = useMemo(() => (DAYS[span] ? new Date(Date.now() - DAYS[span] * 86_400_000).toISOString() : null), [span])
  const page = usePages<AuditEvent>('/audit', { event: read('event'), outcome: read('outcome'), actor_id: read('actor'), target: read('target'), since, limit: 100 })
  const users = useResource<{ items: User[] }>('/users', { limit: 100 })
  const names = new Map(users.data?.items.map((user) => [user.id, user.name ?? user.email ?? shortId(user.id)]))
  const isFiltered = ['event', 'outcome', 'actor', 'target', 'window'].some(read)
  return (
    <div class="view">
      <ViewHead title={t('audit.title')} sub={t('audit.text')}><Button icon="refresh" label={t('word.refresh')} onClick={page.reload} /></ViewHead>
      <div class="filters" role="group" aria-label={t('jobs.filters')}>
        <Segmented label={t('job.outcome')} value={read('outcome')} options={[['', t('word.all')], ...OUTCOMES.map((each) => [each, tName('status', each)] as const)]} onChange={(outcome) => goQuery({ outcome })} />
        <Select label={t('requests.window')} value={span} options={[['', t('audit.ever')], ['1d', t('requests.24h')], ['7d', t('webhooks.week')], ['30d', t('audit.month')]]} onChange={(window) => goQuery({ window })} />
        <input class="input filter-tag" aria-label={t('audit.event')} placeholder={t('audit.event')} value={read('event')} onChange={(event) => goQuery({ event: event.currentTarget.value.trim() })} />
        <Select label={t('audit.actor')} value={read('actor')} options={[['', t('audit.actor')], ...[...names].map(([id, name]) => [id, name] as const)]} onChange={(actor) => goQuery({ actor })} />
        {isFiltered && <Button look="quiet" icon="x" onClick={() => goQuery({ event: null, outcome: null, actor: null, target: null, window: null })}>{t('jobs.clear')}</Button>}
      </div>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!page.items.length && (page.isLoading ? <Loading /> : !page.problem && <Empty title={t('audit.empty')} icon="shield" />)}
      {page.items.length > 0 && (
        <Card>
          <table class="grid" aria-label={t('audit.title')}>
            <thead><tr><th>{t('word.time')}</th><th>{t('audit.event')}</th><th>{t('job.outcome')}</th><th>{t('audit.actor')}</th><th>{t('audit.target')}</th><th>{t('word.details')}</th><th>{t('job.request')}</th></tr></thead>
            <tbody>{page.items.map((each) => <Row key={each.id} event={each} names={names} />)}</tbody>
          </table>
          {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
        </Card>
      )}
    </div>
  )
}

function Row({ event, names }: { event: AuditEvent; names: Map<string, string> }) {
  const { actor_id, target, details, request_id } = event
  const [kind = '', id = ''] = target?.split(':') ?? []
  return (
    <tr data-audit={event.event}>
      <td>{moment(event.created_at)}</td>
      <td><a href={`${BASE}/audit?event=${encodeURIComponent(event.event)}`}><b>{event.event}</b></a></td>
      <td><Status of={event.outcome} /></td>
      <td>{actor_id ? <span title={actor_id}>{names.get(actor_id) ?? <code>{shortId(actor_id)}</code>}</span> : <span class="faint">–</span>}</td>
      <td>{target ? <a href={`${BASE}/audit?target=${encodeURIComponent(target)}`} title={target}>{kind} <code class="faint">{names.get(id) ?? shortId(id)}</code></a> : <span class="faint">–</span>}</td>
      <td class="cell-tags">{details && Object.keys(details).length > 0 ? Object.entries(details).map(([name, value]) => <span class="tag" key={name}>{name}: <Value of={value} /></span>) : <span class="faint">–</span>}</td>
      <td>{request_id ? <a href={`${BASE}/requests?request_id=${encodeURIComponent(request_id)}`}><code>{shortId(request_id)}</code></a> : <span class="faint">–</span>}</td>
    </tr>
  )
}

const UUID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/

function Value({ of }: { of: unknown }) {
  const text = typeof of === 'string' ? of : JSON.stringify(of)
  return UUID.test(text) ? <code title={text}>{shortId(text)}</code> : <>{text}</>
}
