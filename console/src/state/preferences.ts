/** What this browser prefers: language and colours. */
import { effect, signal } from '@preact/signals'

export type Theme = 'system' | 'light' | 'dark'
export type Language = 'en' | 'ko'

const THEME = 'letuin.theme'
const LANGUAGE = 'letuin.language'
const system = matchMedia('(prefers-color-scheme: dark)')

export const theme = signal<Theme>((localStorage.getItem(THEME) as Theme | null) ?? 'system')
export const language = signal<Language>(
  (localStorage.getItem(LANGUAGE) as Language | null) ?? (navigator.language.startsWith('ko') ? 'ko' : 'en'),
)
/** The colours in use. */
export const scheme = signal<'light' | 'dark'>('light')

/** Keep the choices, and the page's attributes in step with them. */
export function startPreferences(): void {
  const apply = () => {
    scheme.value = theme.value === 'system' ? (system.matches ? 'dark' : 'light') : theme.value
    document.documentElement.dataset.theme = scheme.value
  }
  system.addEventListener('change', apply)
  effect(() => {
    localStorage.setItem(THEME, theme.value)
    apply()
  })
  effect(() => {
    localStorage.setItem(LANGUAGE, language.value)
    document.documentElement.lang = language.value
  })
}
