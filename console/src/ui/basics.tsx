import { useSignal } from '@preact/signals'
import type { ButtonHTMLAttributes, ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import type { Problem } from '../api/client'
import { ago, moment, t, tName } from '../i18n'
import { Icon, type IconName } from './icon'

type ButtonProps = Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'icon' | 'label'> & {
  icon?: IconName
  look?: 'plain' | 'main' | 'quiet' | 'danger'
  label?: string
}

/** A button; `label` names one that shows an icon alone. */
export function Button({ icon, look = 'plain', label, children, class: extra, ...rest }: ButtonProps) {
  const only = children === undefined ? ' button-icon' : ''
  return (
    <button type="button" class={`button button-${look}${only} ${extra ?? ''}`} aria-label={label} title={label} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  )
}

const STATUS_ICONS: Record<string, IconName> = {
  queued: 'clock', running: 'spinner', succeeded: 'check', failed: 'x', cancelled: 'ban', expired: 'hourglass', active: 'check', paused: 'pause',
  disabled: 'ban', ended: 'check', sending: 'spinner', sent: 'check', deferred: 'clock', unknown: 'alert', ready: 'check', indexed: 'check', pending: 'clock',
  processing: 'spinner', fired: 'check', skipped: 'ban', buffered: 'clock', delivered: 'check', valid: 'check', revoked: 'ban', lost: 'alert', timeout: 'hourglass', draining: 'leave', ingesting: 'spinner', success: 'check', failure: 'x', denied: 'ban', busy: 'spinner', interrupted: 'pause', idle: 'check',
}
const STATUS_TONES: Record<string, string> = {
  queued: 'wait', running: 'run', succeeded: 'good', failed: 'bad', cancelled: 'off', expired: 'warn', active: 'good', paused: 'warn', disabled: 'bad',
  ended: 'off', sending: 'run', sent: 'good', deferred: 'warn', unknown: 'warn', ready: 'good', indexed: 'good', pending: 'wait', processing: 'run', fired: 'good', skipped: 'off',
  buffered: 'wait', delivered: 'good', valid: 'good', revoked: 'off', lost: 'bad', timeout: 'bad', draining: 'warn', ingesting: 'run', success: 'good', failure: 'bad', denied: 'warn', busy: 'run', interrupted: 'warn', idle: 'off',
}

/** What state something is in: a word, a picture and a colour, so that no one of them is needed. */
export function Status({ of }: { of: string }) {
  return (
    <span class={`status tone-${STATUS_TONES[of] ?? 'off'}`} data-status={of}>
      <Icon name={STATUS_ICONS[of] ?? 'clock'} size={13} />
      {tName('status', of)}
    </span>
  )
}

/** A moment, told relative to now; pointing at it tells it exactly. */
export function When({ at }: { at: string | null | undefined }) {
  if (!at) return <span class="faint">–</span>
  return <time dateTime={at} title={moment(at)}>{ago(at)}</time>
}

export function Empty({ title, text, icon = 'inbox', children }: { title: string; text?: string; icon?: IconName; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <span class="empty-icon"><Icon name={icon} size={22} /></span>
      <p class="empty-title">{title}</p>
      {text && <p class="empty-text">{text}</p>}
      {children}
    </div>
  )
}

/** What was refused, with the id by which it is found in the request log. */
export function ProblemBox({ problem, onRetry }: { problem: Problem | null; onRetry?: () => void }) {
  if (!problem) return null
  const words = problem.status === 0 ? t('problem.unreachable') : problem.message
  return (
    <div class="problem" role="alert">
      <Icon name="alert" />
      <div>
        <strong>{problem.status === 403 ? t('problem.forbidden') : t('problem.title')}</strong>
        <p>{words}</p>
        {problem.errors.map((error) => <p key={error.path.join()}><code>{error.path.slice(1).join('.')}</code> {error.message}</p>)}
        {problem.requestId && <p class="faint">{t('problem.request', { id: problem.requestId })}</p>}
      </div>
      {onRetry && <Button onClick={onRetry} icon="refresh">{t('problem.retry')}</Button>}
    </div>
  )
}

/** The head of a view; focus goes here when the view changes, so that a screen reader says where one is. */
export function ViewHead({ title, sub, children }: { title: ComponentChildren; sub?: ComponentChildren; children?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    if (document.activeElement === document.body || document.activeElement?.tagName === 'A') heading.current?.focus({ preventScroll: true })
    document.title = `${heading.current?.textContent ?? ''} · Letuin`
  })
  return (
    <header class="view-head">
      <div class="view-title">
        <h1 ref={heading} tabIndex={-1}>{title}</h1>
        {sub && <p class="view-sub">{sub}</p>}
      </div>
      <div class="view-actions">{children}</div>
    </header>
  )
}

interface FieldProps {
  label: ComponentChildren
  hint?: string
  error?: string
  children: (id: string, described: string | undefined) => ComponentChildren
}

/** A labelled input. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId()
  const described = hint || error ? `${id}-more` : undefined
  return (
    <div class={`field ${error ? 'field-wrong' : ''}`}>
      <label for={id}>{label}</label>
      {children(id, described)}
      {described && <p id={described} class={error ? 'field-error' : 'field-hint'}>{error ?? hint}</p>}
    </div>
  )
}

interface SelectProps {
  label: string
  value: string
  options: readonly (readonly [value: string, text: string])[]
  onChange: (value: string) => void
  id?: string
}

export function Select({ label, value, options, onChange, id }: SelectProps) {
  return (
    <select id={id} class="select" aria-label={id ? undefined : label} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
      {options.map(([each, text]) => <option key={each} value={each} selected={each === value}>{text}</option>)}
    </select>
  )
}

/** A choice of few, all of them visible. */
export function Segmented({ label, value, options, onChange }: SelectProps) {
  const name = useId()
  return (
    <fieldset class="segmented">
      <legend class="hidden">{label}</legend>
      {options.map(([each, text]) => (
        <label key={each} class={each === value ? 'is-on' : ''}>
          <input type="radio" name={name} class="hidden" checked={each === value} onChange={() => onChange(each)} />
          {text}
        </label>
      ))}
    </fieldset>
  )
}

/** A dialog over the page. Escape and a click beside it close it; focus stays inside and comes back. */
export function Dialog({ title, onClose, wide, children }: { title: string; onClose: () => void; wide?: boolean; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null
    dialog.current?.showModal()
    return () => before?.focus?.()
  }, [])
  return (
    <dialog
      ref={dialog} class={`dialog ${wide ? 'dialog-wide' : ''}`} aria-labelledby={heading}
      onCancel={(event) => { event.preventDefault(); onClose() }}
      onMouseDown={(event) => event.target === dialog.current && onClose()}
    >
      <div class="dialog-inside">
        <header class="dialog-head">
          <h2 id={heading}>{title}</h2>
          <Button look="quiet" icon="x" label={t('word.close')} onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  )
}

/** Ask before what cannot be undone. */
export function Confirm({ text, action, onConfirm, onClose }: { text: string; action: string; onConfirm: () => void; onClose: () => void }) {
  return (
    <Dialog title={action} onClose={onClose}>
      <p class="dialog-text">{text}</p>
      <footer class="dialog-foot">
        <Button onClick={onClose}>{t('word.cancel')}</Button>
        <Button look="danger" onClick={() => { onConfirm(); onClose() }}>{action}</Button>
      </footer>
    </Dialog>
  )
}

/** A text that can be copied, like an id. */
export function CopyText({ text, shown }: { text: string; shown?: string }) {
  const isCopied = useSignal(false)
  const copy = () => void navigator.clipboard?.writeText(text).then(() => {
    isCopied.value = true
    setTimeout(() => (isCopied.value = false), 1500)
  })
  return (
    <span class="copy">
      <code title={text}>{shown ?? text}</code>
      <Button look="quiet" icon={isCopied.value ? 'check' : 'copy'} label={isCopied.value ? t('word.copied') : t('word.copy')} onClick={copy} />
    </span>
  )
}

/** The last part of an id, which tells ids of one hour apart. */
export const shortId = (id: string): string => id.slice(-8)

export function Loading() {
  return <div class="loading" role="status"><Icon name="spinner" size={18} /><span class="hidden">{t('word.loading')}</span></div>
}

export function Facts({ items }: { items: (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {items.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value ?? <span class="faint">–</span>}</dd></div>)}
    </dl>
  )
}

export function Card({ title, extra, children, class: more }: { title?: ComponentChildren; extra?: ComponentChildren; children: ComponentChildren; class?: string }) {
  return (
    <section class={`card ${more ?? ''}`}>
      {title && <header class="card-head"><h2>{title}</h2>{extra}</header>}
      {children}
    </section>
  )
}
