/** Jobs that started and ended, second by second, as the live updates tell. */
import { signal } from '@preact/signals'
import { onUpdates } from './live'

export interface Rates {
  times: number[]
  started: number[]
  ended: number[]
  failed: number[]
}

const SPAN = 300
const ENDS = new Set(['job.succeeded', 'job.failed', 'job.cancelled', 'job.expired'])

export const rates = signal<Rates>({ times: [], started: [], ended: [], failed: [] })
/** Updates within the last whole second. */
export const updateRate = signal(0)

export function startRates(): void {
  let counts = { started: 0, ended: 0, failed: 0, all: 0 }
  onUpdates((events) => {
    for (const { type } of events) {
      counts.all += 1
      if (type === 'job.started') counts.started += 1
      if (ENDS.has(type)) counts.ended += 1
      if (type === 'job.failed') counts.failed += 1
    }
  })
  setInterval(() => {
    const { times, started, ended, failed } = rates.value
    const add = (list: number[], value: number) => [...list.slice(1 - SPAN), value]
    rates.value = {
      times: add(times, Date.now() / 1000),
      started: add(started, counts.started),
      ended: add(ended, counts.ended),
      failed: add(failed, counts.failed),
    }
    updateRate.value = counts.all
    counts = { started: 0, ended: 0, failed: 0, all: 0 }
  }, 1000)
}
