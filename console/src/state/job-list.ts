/** The live list of jobs: pages from the api, kept up to date by events. */
import { signal } from '@preact/signals'
import { get, Problem, type Query } from '../api/client'
import type { JobEvent, JobStatus, JobSummary, Page } from '../api/types'
import { queueOf } from './kinds'
import { onUpdates } from './live'

export interface Filter {
  status: string
  kind: string
  queue: string
  tag: string
  batch: string
  /** Jobs of the whole tenant instead of those of `me`. */
  isEverybody: boolean
  me: string
}

/** What of a job an event tells. A row made from an event alone lacks the rest until the list is read again. */
export type Row = JobSummary & { isPartial?: boolean }

const MOST = 5000
const DETAILS_INTERVAL = 3000
const STATUS_OF: Record<string, JobStatus> = {
  'job.queued': 'queued', 'job.retrying': 'queued', 'job.started': 'running', 'job.succeeded': 'succeeded',
  'job.failed': 'failed', 'job.cancelled': 'cancelled', 'job.expired': 'expired',
}

/** One list under one filter. `close` ends it. */
export class JobList {
  readonly rows = signal<Row[]>([])
  readonly fresh = signal(0)
  readonly isLoading = signal(true)
  readonly problem = signal<Problem | null>(null)
  readonly hasMore = signal(false)
  readonly isTruncated = signal(false)

  private places = new Map<string, Row>()
  private waiting: Row[] = []
  private during: JobEvent[] = []
  private cursor: string | null = null
  private isAtTop = true
  private isClosed = false
  private hasPartial = false
  private readonly stop: () => void
  private readonly timer: ReturnType<typeof setInterval>

  constructor(private readonly filter: Filter) {
    this.stop = onUpdates((events) => this.take(events))
    this.timer = setInterval(() => this.hasPartial && !document.hidden && void this.mend(), DETAILS_INTERVAL)
    void this.reload()
  }

  close(): void {
    this.isClosed = true
    this.stop()
    clearInterval(this.timer)
  }

  /** Read the newest page and begin with it anew: after a gap, or when the reader asks. */
  async reload(): Promise<void> {
    const page = await this.read(null)
    if (!page) return
    this.hasPartial = false
    this.isTruncated.value = false
    this.setCursor(page.next_cursor ?? null)
    this.clearWaiting()
    this.show(page.items)
    this.catchUp()
  }

  /** Read the newest page and fill in what events did not tell. */
  private async mend(): Promise<void> {
    this.hasPartial = false
    const page = await this.read(null)
    if (!page) return
    const read = new Map(page.items.map((item) => [item.id, item]))
    this.waiting = this.waiting.map((row) => this.newer(row, read.get(row.id)))
    const rows = this.rows.value.map((row) => this.newer(row, read.get(row.id))).filter((row) => this.fits(row))
    const known = new Set([...rows, ...this.waiting].map((row) => row.id))
    const added = this.isAtTop ? page.items.filter((item) => !known.has(item.id)) : []
    this.show([...added, ...rows])
    this.catchUp()
  }

  /** What was read, unless an event overtook the reading; then it is read once more. */
  private newer(row: Row, item: JobSummary | undefined): Row {
    if (!item || item.status === row.status || item.updated_at >= row.updated_at) return item ?? row
    this.hasPartial = true
    return row
  }

  /** Read the page after the oldest row. */
  async more(): Promise<void> {
    if (this.cursor === null || this.isLoading.value) return
    const page = await this.read(this.cursor)
    if (!page) return
    this.setCursor(page.next_cursor ?? null)
    this.show([...this.rows.value, ...page.items.filter((item) => !this.places.has(item.id))])
    this.catchUp()
  }

  /** What was read may be older than the events that came meanwhile. */
  private catchUp(): void {
    const late = this.during.filter((event) => event.ts > (this.places.get(event.job_id)?.updated_at ?? ''))
    this.during = []
    if (late.length) this.take(late)
  }

  /** While the reader is further down, new rows wait, so that nothing moves under their eyes. */
  setAtTop(isAtTop: boolean): void {
    this.isAtTop = isAtTop
    if (isAtTop && this.waiting.length) this.showWaiting()
  }

  private showWaiting(): void {
    const added = this.waiting
    this.clearWaiting()
    this.show([...added, ...this.rows.value])
  }

  private clearWaiting(): void {
    this.waiting = []
    this.fresh.value = 0
  }

  private async read(cursor: string | null): Promise<Page<JobSummary> | null> {
    const { status, kind, queue, tag, batch, isEverybody } = this.filter
    const query: Query = { status: status ? status.split(',') : null, kind, queue, tag, batch, cursor, limit: 100 }
    this.isLoading.value = true
    this.during = []
    try {
      const page = await get<Page<JobSummary>>('/jobs', isEverybody ? { ...query, everybody: true } : query)
      this.problem.value = null
      return this.isClosed ? null : page
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.problem.value = error
      return null
    } finally {
      this.isLoading.value = false
    }
  }

  private setCursor(cursor: string | null): void {
    this.cursor = cursor
    this.hasMore.value = cursor !== null
  }

  private show(rows: Row[]): void {
    rows.sort((one, other) => (one.id < other.id ? 1 : one.id > other.id ? -1 : 0))
    if (rows.length > MOST && this.isAtTop) {
      rows.length = MOST / 2
      this.setCursor(null)
      this.isTruncated.value = true
    }
    this.places = new Map(rows.map((row) => [row.id, row]))
    this.rows.value = rows
  }

  /** The events of one frame: one new list, whatever their number. */
  private take(events: JobEvent[]): void {
    if (this.isLoading.value) this.during.push(...events)
    const { me, isEverybody } = this.filter
    const added = new Map<string, Row>()
    const oldest = this.hasMore.value ? (this.rows.value.at(-1)?.id ?? '') : ''
    const waiting = new Map(this.waiting.map((row) => [row.id, row]))
    let isChanged = false
    for (const event of events) {
      if (!isEverybody && event.owner_id && event.owner_id !== me) continue
      const known = this.places.get(event.job_id)
      if (known) {
        this.places.set(event.job_id, patch(known, event))
        isChanged = true
      } else if (waiting.has(event.job_id)) {
        waiting.set(event.job_id, patch(waiting.get(event.job_id) as Row, event))
      } else if (added.has(event.job_id)) {
        added.set(event.job_id, patch(added.get(event.job_id) as Row, event))
      } else {
        const row = fromEvent(event, me)
        if (row && row.id > oldest) added.set(row.id, row)
      }
    }
    const fitting = [...added.values()].filter((row) => this.fits(row))
    if (this.filter.tag || this.filter.batch) this.hasPartial ||= added.size > 0
    this.waiting = [...waiting.values(), ...fitting].slice(-MOST)
    // Events tell neither all of a new row nor what exactly puts a job off.
    if (fitting.length || events.some((event) => event.type === 'job.retrying')) this.hasPartial = true
    if (isChanged || this.waiting.length) this.redraw(isChanged)
  }

  private redraw(isChanged: boolean): void {
    const kept = isChanged ? this.rows.value.map((row) => this.places.get(row.id) ?? row).filter((row) => this.fits(row)) : this.rows.value
    if (this.isAtTop && this.waiting.length) {
      const added = this.waiting.filter((row) => this.fits(row))
      this.clearWaiting()
      this.show([...added, ...kept])
      return
    }
    this.fresh.value = this.waiting.length
    if (isChanged) this.rows.value = kept
  }

  private fits(row: Row): boolean {
    const { status, kind, queue, tag, batch } = this.filter
    if (row.isPartial && (tag || batch)) return false
    return (!status || status.split(',').includes(row.status)) && (!kind || row.kind === kind) && (!queue || row.queue === queue)
  }
}

function patch(row: Row, event: JobEvent): Row {
  const status = STATUS_OF[event.type]
  const next: Row = { ...row, updated_at: event.ts, attempt: Math.max(row.attempt, event.attempt) }
  if (event.type === 'job.progress') next.progress = event.data
  if (!status) return next
  next.status = status
  if (status === 'running') next.started_at = event.ts
  if (status === 'queued') {
    next.finished_at = null
    next.waiting = { reason: event.type === 'job.retrying' ? 'retry' : 'queue', until: (event.data.run_at as string) ?? null }
  } else {
    next.waiting = null
  }
  if (!['queued', 'running'].includes(status)) next.finished_at = event.ts
  next.error = (event.data.error as Row['error']) ?? (status === 'succeeded' ? null : row.error)
  return next
}

function fromEvent(event: JobEvent, me: string): Row | null {
  const kind = event.data.kind as string | undefined
  const status = STATUS_OF[event.type]
  if (!kind || !status) return null
  const blank = {
    priority: 0, expires_at: null, failures: 0, max_attempts: 0, timeout: 0, progress: null, error: null, waiting: null, tags: [], metadata: null,
    batch_id: null, custom_id: null, request_id: null, started_at: null, finished_at: null, cancel_requested_at: null,
  }
  const row: Row = {
    ...blank, id: event.job_id, owner_id: event.owner_id ?? me, kind, queue: queueOf(kind), status, attempt: event.attempt,
    run_at: (event.data.run_at as string) ?? event.ts, created_at: event.ts, updated_at: event.ts, isPartial: true,
  }
  return patch(row, event)
}
