import { number, t } from '../i18n'
import type { UsageReport } from '../api/types'
import { useResource } from '../state/resource'
import { goQuery, route } from '../state/route'
import { Button, Card, Empty, Loading, ProblemBox, Segmented, ViewHead } from '../ui/basics'

const GROUPS = ['day', 'model', 'kind'] as const

/** What calls of language models took and cost. */
export function UsageView() {
  const group = route.value.query.get('by') ?? 'day'
  const report = useResource<UsageReport>('/usage', { group_by: group })
  const data = report.data
  return (
    <div class="view">
      <ViewHead title={t('usage.title')} sub={data && `${data.since} – ${data.until}`}><Button icon="refresh" label={t('word.refresh')} onClick={report.reload} /></ViewHead>
      <div class="filters" role="group" aria-label={t('jobs.filters')}>
        <Segmented label={t('usage.by')} value={group} options={GROUPS.map((each) => [each, t(`usage.${each}`)] as const)} onChange={(by) => goQuery({ by })} />
      </div>
      <ProblemBox problem={report.problem} onRetry={report.reload} />
      {!data && !report.problem && <Loading />}
      {data && (
        <div class="tiles">
          <Tile name={t('usage.cost')} value={cost(data.total.cost)} />
          <Tile name={t('usage.calls')} value={number(data.total.calls)} />
          <Tile name={t('usage.input')} value={number(data.total.input_tokens)} />
          <Tile name={t('usage.output')} value={number(data.total.output_tokens)} />
        </div>
      )}
      {data && (data.items.length === 0 ? <Empty title={t('usage.empty')} text={t('usage.emptyText')} icon="chart" /> : (
        <Card>
          <table class="grid" aria-label={t('usage.title')}>
            <thead><tr><th>{t(`usage.${group as 'day'}`)}</th><th class="num">{t('usage.calls')}</th><th class="num">{t('usage.cached')}</th><th class="num">{t('usage.input')}</th><th class="num">{t('usage.output')}</th><th class="num">{t('usage.cost')}</th></tr></thead>
            <tbody>
              {data.items.map((row) => {
                const name = row[group as 'day' | 'model' | 'kind'] ?? '–'
                return <tr key={name}><td><b>{name}</b></td><td class="num">{number(row.calls)}</td><td class="num">{number(row.cached_calls)}</td><td class="num">{number(row.input_tokens)}</td><td class="num">{number(row.output_tokens)}</td><td class="num">{cost(row.cost)}</td></tr>
              })}
            </tbody>
          </table>
        </Card>
      ))}
    </div>
  )
}

const cost = (text: string): string => `$${number(Number(text), 4)}`

function Tile({ name, value }: { name: string; value: string }) {
  return <div class="tile"><span class="tile-name">{name}</span><span class="tile-value">{value}</span></div>
}
