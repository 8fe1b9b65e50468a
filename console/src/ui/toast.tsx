/** Short words about what was just done, also for screen readers. */
import { signal } from '@preact/signals'
import { Problem } from '../api/client'
import { t } from '../i18n'
import { Icon } from './icon'

interface Toast {
  id: number
  text: string
  isBad: boolean
}

const toasts = signal<Toast[]>([])
const SHOWN = 5000
let last = 0

export function say(text: string, isBad = false): void {
  const id = ++last
  toasts.value = [...toasts.value.slice(-3), { id, text, isBad }]
  setTimeout(() => (toasts.value = toasts.value.filter((each) => each.id !== id)), SHOWN)
}

export function complain(error: unknown): void {
  if (!(error instanceof Problem)) throw error
  say(error.status === 0 ? t('problem.unreachable') : error.message, true)
}

/** Do it, then say so; or say what went wrong. Returns whether it went well. */
export async function attempt(action: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await action()
  } catch (error) {
    complain(error)
    return false
  }
  if (done) say(done)
  return true
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, isBad }) => (
        <div key={id} class={`toast ${isBad ? 'toast-bad' : ''}`}>
          <Icon name={isBad ? 'alert' : 'check'} />
          {text}
        </div>
      ))}
    </div>
  )
}
