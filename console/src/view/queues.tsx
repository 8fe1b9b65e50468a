import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { call, post } from '../api/client'
import type { Queue, Worker } from '../api/types'
import { duration, number, t } from '../i18n'
import { rates } from '../state/rates'
import { useResource } from '../state/resource'
import { BASE, goQuery, route } from '../state/route'
import { Button, Card, Empty, Loading, ProblemBox, shortId, Status, ViewHead, When } from '../ui/basics'
import { Chart } from '../ui/chart'
import { attempt } from '../ui/toast'

const INTERVAL = 2000
const SAMPLES = 150

interface Depths {
  times: number[]
  queued: number[]
  running: number[]
}

/** What waits and runs, who does the work, and the switches. */
export function QueuesView() {
  const queues = useResource<{ items: Queue[] }>('/ops/queues', {}, INTERVAL)
  const workers = useResource<{ items: Worker[] }>('/ops/workers', {}, INTERVAL)
  const depths = useDepths(queues.data?.items)
  const { times, started, ended, failed } = rates.value
  const reload = () => { queues.reload(); workers.reload() }
  const items = queues.data?.items ?? []
  const chosen = route.value.query.get('queue') ?? ''
  const shown = (workers.data?.items ?? []).filter((worker) => !chosen || worker.queues.includes(chosen))
  const total = (pick: (queue: Queue) => number) => items.reduce((sum, queue) => sum + pick(queue), 0)
  return (
    <div class="view">
      <ViewHead title={t('queues.title')}><Button icon="refresh" label={t('word.refresh')} onClick={reload} /></ViewHead>
      <ProblemBox problem={queues.problem} onRetry={reload} />
      {!queues.data && !queues.problem && <Loading />}
      {queues.data && (
        <>
          <div class="tiles">
            <Tile name={t('queues.waiting')} value={number(total((queue) => queue.queued))} tone="wait" />
            <Tile name={t('queues.running')} value={number(total((queue) => queue.running))} tone="run" />
            <Tile name={t('queues.workers')} value={number(workers.data?.items.length ?? 0)} tone="good" />
            <Tile name={t('queues.slots')} value={number(workers.data?.items.reduce((sum, worker) => sum + worker.concurrency, 0) ?? 0)} tone="off" />
          </div>
          <div class="charts">
            <Card><Chart title={t('queues.depth')} times={depths.times} lines={[{ label: t('queues.waiting'), tone: 'wait', values: depths.queued }, { label: t('queues.running'), tone: 'run', values: depths.running }]} /></Card>
            <Card><Chart title={t('queues.throughput')} times={times} lines={[{ label: t('queues.started'), tone: 'run', values: started }, { label: t('queues.ended'), tone: 'good', values: ended }, { label: t('status.failed'), tone: 'bad', values: failed }]} /></Card>
          </div>
          <Card><QueueTable queues={items} chosen={chosen} onChanged={reload} /></Card>
        </>
      )}
      <Card title={chosen ? t('workers.of', { queue: chosen }) : t('workers.title')} extra={chosen && <Button look="quiet" icon="x" onClick={() => goQuery({ queue: null })}>{t('jobs.clear')}</Button>}>
        <ProblemBox problem={workers.problem} />
        {workers.data && (shown.length ? <WorkerTable workers={shown} onChanged={reload} /> : <Empty title={t('workers.empty')} text={t('workers.emptyText')} icon="server" />)}
      </Card>
    </div>
  )
}

/** What waited and ran each time it was asked, in memory only. */
function useDepths(queues: Queue[] | undefined): Depths {
  const depths = useSignal<Depths>({ times: [], queued: [], running: [] })
  useEffect(() => {
    if (!queues) return
    const add = (list: number[], value: number) => [...list.slice(1 - SAMPLES), value]
    const { times, queued, running } = depths.value
    depths.value = {
      times: add(times, Date.now() / 1000),
      queued: add(queued, queues.reduce((sum, queue) => sum + queue.queued, 0)),
      running: add(running, queues.reduce((sum, queue) => sum + queue.running, 0)),
    }
  }, [queues])
  return depths.value
}

function Tile({ name, value, tone }: { name: string; value: string; tone: string }) {
  return <div class={`tile tone-${tone}`}><span class="tile-name">{name}</span><span class="tile-value">{value}</span></div>
}

function QueueTable({ queues, chosen, onChanged }: { queues: Queue[]; chosen: string; onChanged: () => void }) {
  const set = (name: string, isPaused: boolean) =>
    attempt(() => post(`/ops/queues/${encodeURIComponent(name)}/${isPaused ? 'pause' : 'resume'}`), t(isPaused ? 'queues.paused' : 'queues.resumed', { name })).then(onChanged)
  return (
    <table class="grid" aria-label={t('queues.table')}>
      <thead><tr><th>{t('word.queue')}</th><th>{t('word.status')}</th><th class="num">{t('queues.waiting')}</th><th class="num">{t('queues.running')}</th><th>{t('queues.oldest')}</th><th class="num">{t('queues.wait')}</th><th class="num">{t('queues.perMinute')}</th><th class="num">{t('queues.failedPerMinute')}</th><th class="num">{t('queues.workers')}</th><th class="num">{t('queues.slots')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
      <tbody>
        {queues.map((queue) => (
          <tr key={queue.name} data-queue={queue.name} class={queue.name === chosen ? 'is-chosen' : ''}>
            <td><a href={`${BASE}/jobs?queue=${encodeURIComponent(queue.name)}`}><b>{queue.name}</b></a></td>
            <td><Status of={queue.is_paused ? 'paused' : 'active'} /></td>
            <td class="num">{queue.queued ? <a href={`${BASE}/jobs?queue=${encodeURIComponent(queue.name)}&status=queued`}>{number(queue.queued)}</a> : 0}</td>
            <td class="num">{number(queue.running)}</td>
            <td><When at={queue.oldest_at} /></td>
            <td class="num">{queue.wait_estimate === null ? <span class="faint">–</span> : duration(queue.wait_estimate)}</td>
            <td class="num">{number(queue.ended_per_minute ?? 0, 1)}</td>
            <td class="num">{queue.failed_per_minute ? <span class="note-bad">{number(queue.failed_per_minute, 1)}</span> : 0}</td>
            <td class="num">{queue.workers || <span class="note note-bad">{t('queues.nobody')}</span>}</td>
            <td class="num">{number(queue.slots)}</td>
            <td class="cell-actions">
              {queue.is_paused
                ? <Button look="main" icon="play" aria-label={t('queues.resumeName', { name: queue.name })} onClick={() => void set(queue.name, false)}>{t('queues.resume')}</Button>
                : <Button icon="pause" aria-label={t('queues.pauseName', { name: queue.name })} onClick={() => void set(queue.name, true)}>{t('queues.pause')}</Button>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function WorkerTable({ workers, onChanged }: { workers: Worker[]; onChanged: () => void }) {
  const change = (id: string, body: object) => attempt(() => call('PATCH', `/ops/workers/${id}`, { body }), t('workers.steered')).then(onChanged)
  return (
    <table class="grid" aria-label={t('workers.title')}>
      <thead><tr><th>{t('workers.host')}</th><th>{t('word.status')}</th><th>{t('word.queue')}</th><th>{t('workers.load')}</th><th>{t('workers.concurrency')}</th><th>{t('workers.up')}</th><th>{t('workers.seen')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
      <tbody>
        {workers.map((worker) => {
          const name = `${worker.host} ${worker.pid}`
          return (
            <tr key={worker.id} data-worker={worker.id}>
              <td><b>{worker.host}</b> <span class="faint">{worker.pid} · {shortId(worker.id)}</span></td>
              <td>{worker.is_late ? <span title={t('workers.lateText')}><Status of="lost" /></span> : <Status of={worker.is_draining ? 'draining' : worker.is_paused ? 'paused' : 'active'} />}</td>
              <td>{worker.queues.join(', ')}</td>
              <td><span class="load"><progress class="bar" max={worker.concurrency} value={worker.running} aria-label={`${t('workers.load')}: ${name}`} />{worker.running} / {worker.concurrency}</span></td>
              <td>
                <span class="stepper">
                  <Button icon="minus" label={t('workers.lower', { name })} disabled={worker.concurrency <= 1} onClick={() => void change(worker.id, { concurrency: worker.concurrency - 1 })} />
                  <span class="num">{worker.concurrency}</span>
                  <Button icon="plus" label={t('workers.raise', { name })} onClick={() => void change(worker.id, { concurrency: worker.concurrency + 1 })} />
                </span>
              </td>
              <td>{duration((Date.now() - Date.parse(worker.started_at)) / 1000)}</td>
              <td><When at={worker.seen_at} /></td>
              <td class="cell-actions">
                {!worker.is_draining && <Button icon="leave" label={t('workers.drainName', { name })} onClick={() => void change(worker.id, { is_draining: true })} />}
                {worker.is_paused
                  ? <Button look="main" icon="play" label={t('workers.resumeName', { name })} onClick={() => void change(worker.id, { is_paused: false })} />
                  : <Button icon="pause" label={t('workers.pauseName', { name })} onClick={() => void change(worker.id, { is_paused: true })} />}
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}
