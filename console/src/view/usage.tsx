import { useMemo } from 'preact/hooks'
import { money, number, t } from '../i18n'
import type { UsageReport, User } from '../api/types'
import { useResource } from '../state/resource'
import { goQuery, route } from '../state/route'
import { isOperator } from '../state/session'
import { Columns, Lines } from '../ui/bars'
import { Button, Card, Empty, Loading, ProblemBox, Segmented, Select, ViewHead } from '../ui/basics'

const GROUPS = ['day', 'model', 'kind'] as const
const MEASURES = ['cost', 'calls', 'input', 'output'] as const
const DAY = 86_400_000
type Row = UsageReport['total']

const PICK: Record<(typeof MEASURES)[number], (row: Row) => number> = {
  cost: (row) => Number(row.cost), calls: (row) => row.calls, input: (row) => row.input_tokens, output: (row) => row.output_tokens,
}

/** What calls of language models took and cost. */
export function UsageView() {
  const { query } = route.value
  const group = query.get('by') ?? 'day'
  const days = query.get('days') ?? '30'
  const owner = query.get('owner') ?? ''
  const since = useMemo(() => new Date(Date.now() - (Number(days) - 1) * DAY).toISOString().slice(0, 10), [days])
  const report = useResource<UsageReport>('/usage', { group_by: group, since, owner_id: owner })
  const users = useResource<{ items: User[] }>(isOperator() ? '/users' : null, { limit: 100 })
  const data = report.data
  const people = (users.data?.items ?? []).map((user) => [user.id, user.name ?? user.email ?? user.id] as const)
  return (
    <div class="view">
      <ViewHead title={t('usage.title')} sub={data && `${data.since} – ${data.until}`}><Button icon="refresh" label={t('word.refresh')} onClick={report.reload} /></ViewHead>
      <div class="filters" role="group" aria-label={t('jobs.filters')}>
        <Segmented label={t('usage.by')} value={group} options={GROUPS.map((each) => [each, t(`usage.${each}`)] as const)} onChange={(by) => goQuery({ by })} />
        <Segmented label={t('requests.window')} value={days} options={['7', '30', '90'].map((each) => [each, t('usage.days', { n: each })] as const)} onChange={(next) => goQuery({ days: next })} />
        {people.length > 0 && <Select label={t('usage.who')} value={owner} options={[['', t('usage.everybody')], ...people]} onChange={(next) => goQuery({ owner: next })} />}
      </div>
      <ProblemBox problem={report.problem} onRetry={report.reload} />
      {!data && !report.problem && <Loading />}
      {data && (
        <div class="tiles">
          <Tile name={t('usage.cost')} value={money(Number(data.total.cost))} />
          <Tile name={t('usage.calls')} value={number(data.total.calls)} />
          <Tile name={t('usage.input')} value={number(data.total.input_tokens)} />
          <Tile name={t('usage.output')} value={number(data.total.output_tokens)} />
        </div>
      )}
      {data && (data.items.length === 0 ? <Empty title={t('usage.empty')} text={t('usage.emptyText')} icon="chart" /> : <Report data={data} group={group as 'day'} />)}
    </div>
  )
}

function Report({ data, group }: { data: UsageReport; group: 'day' | 'model' | 'kind' }) {
  const measure = (route.value.query.get('measure') ?? 'output') as (typeof MEASURES)[number]
  const pick = PICK[measure] ?? PICK.output
  const format = measure === 'cost' ? money : (value: number) => number(value)
  const found = new Map(data.items.map((row) => [row[group] ?? '–', pick(row)]))
  const names = group === 'day' ? daysBetween(data.since, data.until) : [...found.keys()]
  const bars = names.map((name) => ({ name, value: found.get(name) ?? 0 }))
  const Graph = group === 'day' ? Columns : Lines
  return (
    <>
      <Card>
        <div class="chart-choice"><Segmented label={t('usage.measure')} value={measure} options={MEASURES.map((each) => [each, t(`usage.${each}`)] as const)} onChange={(next) => goQuery({ measure: next })} /></div>
        <Graph title={t(`usage.${measure}`)} bars={bars} format={format} />
      </Card>
      <Card>
        <table class="grid" aria-label={t('usage.title')}>
          <thead><tr><th>{t(`usage.${group}`)}</th><th class="num">{t('usage.calls')}</th><th class="num">{t('usage.cached')}</th><th class="num">{t('usage.input')}</th><th class="num">{t('usage.output')}</th><th class="num">{t('usage.cost')}</th></tr></thead>
          <tbody>
            {data.items.map((row) => {
              const name = row[group] ?? '–'
              return <tr key={name}><td><b>{name}</b></td><td class="num">{number(row.calls)}</td><td class="num">{number(row.cached_calls)}</td><td class="num">{number(row.input_tokens)}</td><td class="num">{number(row.output_tokens)}</td><td class="num">{money(Number(row.cost))}</td></tr>
            })}
          </tbody>
        </table>
      </Card>
    </>
  )
}

function daysBetween(since: string, until: string): string[] {
  const days = []
  for (let at = Date.parse(since); at <= Date.parse(until); at += DAY) days.push(new Date(at).toISOString().slice(0, 10))
  return days
}

function Tile({ name, value }: { name: string; value: string }) {
  return <div class="tile"><span class="tile-name">{name}</span><span class="tile-value">{value}</span></div>
}
