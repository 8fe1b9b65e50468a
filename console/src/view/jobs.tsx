import { useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { between, moment, now, number, t, tName } from '../i18n'
import { JobList, type Filter, type Row } from '../state/job-list'
import { kinds } from '../state/kinds'
import { resyncs } from '../state/live'
import { updateRate } from '../state/rates'
import { BASE, goQuery, route } from '../state/route'
import { isOperator, session } from '../state/session'
import { Button, Empty, Loading, ProblemBox, Segmented, Select, shortId, Status, ViewHead, When } from '../ui/basics'
import { VirtualTable } from '../ui/virtual'
import { remedyPath } from './remedy'
import { SubmitDialog } from './submit'

const ROW_HEIGHT = 46
const STATUSES = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired'] as const

/** The live list of jobs. */
export function JobsView() {
  const filter = readFilter()
  const key = JSON.stringify(filter)
  const list = useMemo(() => new JobList(filter), [key])
  const isSubmitting = useSignal(false)
  useEffect(() => () => list.close(), [list])
  useEffect(() => {
    if (resyncs.value > 1) void list.reload()
  }, [resyncs.value])

  return (
    <div class="view view-fill">
      <ViewHead title={t('jobs.title')} sub={<Counts list={list} />}>
        <Button icon="refresh" label={t('word.refresh')} onClick={() => void list.reload()} />
        <Button look="main" icon="plus" onClick={() => (isSubmitting.value = true)}>{t('jobs.submit')}</Button>
      </ViewHead>
      <Filters filter={filter} />
      <ProblemBox problem={list.problem.value} onRetry={() => void list.reload()} />
      <Rows list={list} isEverybody={filter.isEverybody} />
      {isSubmitting.value && <SubmitDialog onClose={() => (isSubmitting.value = false)} />}
    </div>
  )
}

function readFilter(): Filter {
  const { query } = route.value
  const read = (name: string) => query.get(name) ?? ''
  const me = session.value.state === 'in' ? session.value.me.id : ''
  const isEverybody = isOperator() && query.get('whose') !== 'mine'
  return { status: read('status'), kind: read('kind'), queue: read('queue'), tag: read('tag'), batch: read('batch'), isEverybody, me }
}

function Counts({ list }: { list: JobList }) {
  return (
    <span class="counts">
      {t('jobs.count', { n: number(list.rows.value.length) })}
      {updateRate.value > 0 && <> · {t('jobs.rate', { n: number(updateRate.value) })}</>}
    </span>
  )
}

function Filters({ filter }: { filter: Filter }) {
  const queues = [...new Set([...kinds.value.map((kind) => kind.queue), ...(filter.queue ? [filter.queue] : [])])].sort()
  const isFiltered = filter.status || filter.kind || filter.queue || filter.tag || filter.batch
  return (
    <div class="filters" role="group" aria-label={t('jobs.filters')}>
      {isOperator() && (
        <Segmented label={t('jobs.whose')} value={filter.isEverybody ? 'everybody' : 'mine'} options={[['everybody', t('jobs.everybody')], ['mine', t('jobs.mine')]]} onChange={(value) => goQuery({ whose: value === 'mine' ? 'mine' : null })} />
      )}
      <Segmented label={t('word.status')} value={filter.status} options={[['', t('word.all')], ...STATUSES.map((each) => [each, tName('status', each)] as const)]} onChange={(status) => goQuery({ status })} />
      <Select label={t('word.kind')} value={filter.kind} options={[['', t('word.kind')], ...kinds.value.map((kind) => [kind.name, kind.name] as const)]} onChange={(kind) => goQuery({ kind })} />
      <Select label={t('word.queue')} value={filter.queue} options={[['', t('word.queue')], ...queues.map((queue) => [queue, queue] as const)]} onChange={(queue) => goQuery({ queue })} />
      <input class="input filter-tag" aria-label={t('jobs.tag')} placeholder={t('jobs.tag')} value={filter.tag} onChange={(event) => goQuery({ tag: event.currentTarget.value.trim() })} />
      {isFiltered && <Button look="quiet" icon="x" onClick={() => goQuery({ status: null, kind: null, queue: null, tag: null, batch: null })}>{t('jobs.clear')}</Button>}
    </div>
  )
}

function Rows({ list, isEverybody }: { list: JobList; isEverybody: boolean }) {
  const rows = list.rows.value
  if (!rows.length) {
    if (list.isLoading.value) return <Loading />
    return list.problem.value ? null : <Empty title={t('jobs.empty')} text={t('jobs.emptyText')} />
  }
  const columns = [t('word.status'), t('word.kind'), t('word.id'), t('word.queue'), ...(isEverybody ? [t('word.owner')] : []), t('word.created'), t('jobs.took'), t('jobs.attempt')]
  return (
    <div class="fill">
      {list.fresh.value > 0 && (
        <Button class="fresh" look="main" icon="up" onClick={() => { document.querySelector('.table-body')?.scrollTo({ top: 0 }); list.setAtTop(true) }}>
          {t('jobs.fresh', { n: number(list.fresh.value) })}
        </Button>
      )}
      <div class={`jobs-table ${isEverybody ? 'with-owner' : ''}`}>
        <VirtualTable
          items={rows} rowHeight={ROW_HEIGHT} label={t('jobs.table')} columnCount={columns.length}
          columns={columns.map((name) => <div key={name} role="columnheader">{name}</div>)}
          onTop={(isAtTop) => list.setAtTop(isAtTop)}
          render={(row, index) => <JobRow key={row.id} row={row} index={index} isEverybody={isEverybody} />}
          foot={(list.hasMore.value || list.isTruncated.value) && <Foot list={list} />}
        />
      </div>
    </div>
  )
}

function Foot({ list }: { list: JobList }) {
  if (list.hasMore.value) {
    return <div class="table-foot"><Button onClick={() => void list.more()} disabled={list.isLoading.value}>{t('word.more')}</Button></div>
  }
  return list.isTruncated.value ? <p class="table-foot faint">{t('jobs.truncated')}</p> : null
}

function JobRow({ row, index, isEverybody }: { row: Row; index: number; isEverybody: boolean }) {
  return (
    <div class="row" role="row" aria-rowindex={index + 2} style={{ height: `${ROW_HEIGHT}px` }} data-job={row.id}>
      <div role="cell"><Status of={row.status} /></div>
      <div role="cell" class="cell-kind">
        <a class="row-link" href={`${BASE}/jobs/${row.id}`} title={row.id}>{row.kind}</a>
        <Note row={row} />
      </div>
      <div role="cell"><code class="faint">{shortId(row.id)}</code></div>
      <div role="cell">{row.queue}</div>
      {isEverybody && <div role="cell"><code class="faint" title={row.owner_id}>{shortId(row.owner_id)}</code></div>}
      <div role="cell" title={moment(row.created_at)}><When at={row.created_at} /></div>
      <div role="cell" class="num"><Took row={row} /></div>
      <div role="cell" class="num">{row.attempt}{row.max_attempts > 0 && <span class="faint"> / {row.max_attempts}</span>}</div>
    </div>
  )
}

/** What is worth knowing of the row beside its status. */
function Note({ row }: { row: Row }) {
  if (row.status === 'running' && typeof row.progress?.fraction === 'number') {
    return <progress class="bar" max={1} value={row.progress.fraction} aria-label={t('job.progress')} />
  }
  if (row.status === 'queued' && row.waiting && row.waiting.reason !== 'queue' && !(row.waiting.reason === 'retry' && row.error)) {
    const words = tName('wait', row.waiting.reason)
    const path = remedyPath(row.waiting.reason, row.queue)
    return path ? <a class="note row-over" href={`${BASE}${path}`} data-wait={row.waiting.reason}>{words}</a> : <span class="note" data-wait={row.waiting.reason}>{words}</span>
  }
  if (row.error && row.status !== 'running') return <span class="note note-bad">{String(row.error.code ?? '')}</span>
  return row.tags.length ? <span class="note">{row.tags.join(', ')}</span> : null
}

function Took({ row }: { row: Row }) {
  if (!row.started_at || row.status === 'queued') return <span class="faint">–</span>
  return <>{between(row.started_at, row.finished_at ?? new Date(Math.max(now.value, Date.parse(row.started_at))).toISOString())}</>
}
