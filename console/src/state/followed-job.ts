/** One job as it goes: its row, its events, its streamed text, its attempts. */
import { signal } from '@preact/signals'
import { get, Problem } from '../api/client'
import type { Attempt, Job, JobEvent } from '../api/types'
import { follow } from './live'

/** A line of the timeline; pieces of text and progress that follow each other are one. */
export interface Step {
  event: JobEvent
  count: number
}

const MOST_STEPS = 500
const REREAD_DELAY = 150

export class FollowedJob {
  readonly job = signal<Job | null>(null)
  readonly problem = signal<Problem | null>(null)
  readonly attempts = signal<Attempt[]>([])
  readonly steps = signal<Step[]>([])
  readonly text = signal('')
  /** Whether earlier events are missing. */
  readonly hasGap = signal(false)

  private readonly stop: () => void
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly id: string) {
    this.stop = follow(id, { onEvents: (events) => this.take(events), onReset: (job) => this.reset(job) })
    void this.read()
  }

  close(): void {
    this.stop()
    clearTimeout(this.timer)
  }

  async read(): Promise<void> {
    try {
      const path = `/jobs/${encodeURIComponent(this.id)}`
      const [job, attempts] = await Promise.all([get<Job>(path), get<{ items: Attempt[] }>(`${path}/attempts`)])
      this.job.value = job
      this.attempts.value = attempts.items
      this.problem.value = null
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.problem.value = error
    }
  }

  private take(events: JobEvent[]): void {
    const steps = [...this.steps.value]
    let text = this.text.value
    let job = this.job.value
    for (const event of events) {
      if (event.type === 'llm.delta') text += String(event.data.text ?? '')
      if (event.type === 'llm.reset' || event.type === 'job.queued') text = ''
      if (event.type === 'job.progress' && job) job = { ...job, progress: event.data }
      else if (event.type.startsWith('job.')) this.readSoon()
      const last = steps.at(-1)
      const isSame = last?.event.type === event.type && (event.type === 'llm.delta' || event.type === 'job.progress')
      if (last && isSame) steps[steps.length - 1] = { event, count: last.count + 1 }
      else steps.push({ event, count: 1 })
    }
    this.text.value = text
    this.job.value = job
    this.steps.value = steps.slice(-MOST_STEPS)
  }

  private reset(job: Job | null): void {
    if (job) this.job.value = job
    this.hasGap.value = this.steps.value.length > 0 || job !== null
    this.steps.value = []
    this.text.value = ''
    this.readSoon()
  }

  private readSoon(): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.read(), REREAD_DELAY)
  }
}
