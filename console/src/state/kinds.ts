/** The kinds that can be submitted, read once. */
import { effect, signal } from '@preact/signals'
import { get } from '../api/client'
import type { Kind } from '../api/types'
import { session } from './session'

export const kinds = signal<Kind[]>([])

export function startKinds(): void {
  effect(() => {
    if (session.value.state !== 'in') return
    get<{ items: Kind[] }>('/jobs/kinds').then(({ items }) => (kinds.value = items), () => undefined)
  })
}

export const queueOf = (kind: string): string => kinds.value.find((each) => each.name === kind)?.queue ?? ''
