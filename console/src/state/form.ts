/** A form that is sent: whether it is under way, and what the api refused of it. */
import { useSignal } from '@preact/signals'
import { Problem } from '../api/client'

export interface Form {
  problem: Problem | null
  isBusy: boolean
  onSubmit: (event: Event) => void
}

/** What a reader typed, read by the names of the inputs. */
export class Given {
  constructor(private readonly data: FormData) {}

  /** As it was typed: for passwords. */
  raw(name: string): string {
    return String(this.data.get(name) ?? '')
  }

  /** Without spaces around it; null when nothing is left. */
  text(name: string): string | null {
    return this.raw(name).trim() || null
  }

  number(name: string): number | null {
    const text = this.text(name)
    return text === null ? null : Number(text)
  }

  all(name: string): string[] {
    return this.data.getAll(name).map(String)
  }
}

/** Send a form by `send`, once at a time. */
export function useForm(send: (given: Given) => Promise<void>): Form {
  const problem = useSignal<Problem | null>(null)
  const isBusy = useSignal(false)
  const submit = async (form: HTMLFormElement) => {
    if (isBusy.value) return
    isBusy.value = true
    problem.value = null
    try {
      await send(new Given(new FormData(form)))
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problem.value = error
    } finally {
      isBusy.value = false
    }
  }
  const onSubmit = (event: Event) => {
    event.preventDefault()
    void submit(event.currentTarget as HTMLFormElement)
  }
  return { problem: problem.value, isBusy: isBusy.value, onSubmit }
}
