/** The request log, read backwards until enough was found: the api filters by time alone. */
import { signal } from '@preact/signals'
import { get, Problem } from '../api/client'
import type { LogEntry } from '../api/types'

export interface LogFilter {
  requestId: string
  /** How far back, in minutes. */
  minutes: number
  fits: (entry: LogEntry) => boolean
}

const PAGE = 200
const ENOUGH = 50
const MOST_PAGES = 10

/** One search. `close` ends it. */
export class RequestLog {
  readonly entries = signal<LogEntry[]>([])
  readonly problem = signal<Problem | null>(null)
  readonly isLoading = signal(true)
  /** How far back was looked, while there is more to look at. */
  readonly reached = signal<string | null>(null)
  private isClosed = false

  constructor(private readonly filter: LogFilter) {
    void this.reload()
  }

  close(): void {
    this.isClosed = true
  }

  /** The newest entries; what was found further back stays. */
  async reload(): Promise<void> {
    const { requestId } = this.filter
    if (requestId || !this.entries.value.length) return this.search(null, [])
    const page = await this.read(null)
    if (!page) return
    const known = new Set(this.entries.value.map((entry) => entry.id))
    this.entries.value = [...page.filter((entry) => !known.has(entry.id) && this.filter.fits(entry)), ...this.entries.value]
  }

  async older(): Promise<void> {
    await this.search(this.reached.value, this.entries.value)
  }

  private async search(until: string | null, before: LogEntry[]): Promise<void> {
    const found: LogEntry[] = []
    for (let pages = 0; pages < MOST_PAGES && found.length < ENOUGH; pages += 1) {
      const page = await this.read(until)
      if (!page) return
      found.push(...page.filter((entry) => this.filter.fits(entry)))
      until = page.at(-1)?.ts ?? until
      this.reached.value = page.length === PAGE && !this.filter.requestId ? until : null
      this.entries.value = [...before, ...found]
      if (this.reached.value === null) return
    }
  }

  private async read(until: string | null): Promise<LogEntry[] | null> {
    const { requestId, minutes } = this.filter
    const since = new Date(Date.now() - minutes * 60_000).toISOString()
    if (until !== null && until <= since) return []
    this.isLoading.value = true
    try {
      const query = requestId ? { request_id: requestId, limit: PAGE } : { since, until, limit: PAGE }
      const page = await get<{ items: LogEntry[] }>('/logs', query)
      this.problem.value = null
      return this.isClosed ? null : page.items
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.problem.value = error
      return null
    } finally {
      this.isLoading.value = false
    }
  }
}
