import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import { t, tName } from './i18n'
import { connection } from './state/live'
import { language, theme, type Language, type Theme } from './state/preferences'
import { BASE, go, route } from './state/route'
import { hasAccount, session, signOut } from './state/session'
import { Button, Segmented } from './ui/basics'
import { Icon } from './ui/icon'
import { visibleViews } from './views'

/** What stands around every view: menu, search, connection, preferences. */
export function Shell({ children }: { children: ComponentChildren }) {
  const isOpen = useSignal(false)
  return (
    <div class={`shell ${isOpen.value ? 'shell-open' : ''}`}>
      <a class="skip" href="#content" onClick={(event) => { event.preventDefault(); document.getElementById('content')?.focus() }}>{t('nav.skip')}</a>
      <aside class="side">
        <div class="side-head">
          <a class="brand" href={`${BASE}/jobs`}><Mark />Letuin</a>
          <Button class="side-toggle" look="quiet" icon={isOpen.value ? 'x' : 'menu'} label={t('nav.menu')} aria-expanded={isOpen.value} onClick={() => (isOpen.value = !isOpen.value)} />
        </div>
        <div class="side-body" onClick={(event) => (event.target as Element).closest('a') && (isOpen.value = false)}>
          <FindJob />
          <Menu />
          <Foot />
        </div>
      </aside>
      <main id="content" class="main" tabIndex={-1}>{children}</main>
    </div>
  )
}

export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" fill="var(--accent)" />
      <path d="M9 8.5v15h9" fill="none" stroke="var(--on-accent)" stroke-width="3.4" stroke-linecap="round" stroke-linejoin="round" />
      <circle cx="22" cy="11" r="3.2" fill="var(--on-accent)" opacity="0.65" />
    </svg>
  )
}

function Menu() {
  const current = route.value.parts[0] ?? 'jobs'
  const views = visibleViews()
  const groups = [...new Set(views.map((entry) => entry.group))]
  return (
    <nav aria-label={t('nav.main')}>
      {groups.map((group) => (
        <div class="nav-group" key={group} role="group" aria-label={t(group)}>
          <p class="nav-title" aria-hidden="true">{t(group)}</p>
          {views.filter((entry) => entry.group === group).map((entry) => (
            <a key={entry.path} class="nav-link" href={`${BASE}/${entry.path}`} aria-current={entry.path === current ? 'page' : undefined}>
              <Icon name={entry.icon} />{t(entry.title)}
            </a>
          ))}
        </div>
      ))}
    </nav>
  )
}

function FindJob() {
  const id = useId()
  const submit = (event: Event) => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const wanted = String(new FormData(form).get('id')).trim()
    if (!wanted) return
    form.reset()
    go(`/jobs/${encodeURIComponent(wanted)}`)
  }
  return (
    <form class="find" role="search" onSubmit={submit}>
      <label class="hidden" for={id}>{t('shell.find')}</label>
      <Icon name="search" size={14} />
      <input id={id} name="id" placeholder={t('shell.find')} autocomplete="off" spellcheck={false} />
    </form>
  )
}

function Foot() {
  const now = session.value
  if (now.state !== 'in') return null
  const { me, by } = now
  const name = by === 'nobody' ? t('shell.local') : (me.name ?? me.email ?? me.id)
  return (
    <div class="side-foot">
      <LiveState />
      <div class="prefs" role="group" aria-label={t('shell.settings')}>
        <Segmented label={t('theme.label')} value={theme.value} options={[['system', t('theme.system')], ['light', t('theme.light')], ['dark', t('theme.dark')]]} onChange={(value) => (theme.value = value as Theme)} />
        <Segmented label={t('language.label')} value={language.value} options={[['en', 'EN'], ['ko', '한국어']]} onChange={(value) => (language.value = value as Language)} />
      </div>
      <div class="me">
        <span class="me-face" aria-hidden="true">{name.slice(0, 1).toUpperCase()}</span>
        <span class="me-text">
          {hasAccount() ? <a href={`${BASE}/account`} title={me.email ?? undefined}><b>{name}</b></a> : <b title={me.email ?? undefined}>{name}</b>}
          <span class="faint">{tName('role', me.role)}</span>
        </span>
        {by !== 'nobody' && <Button look="quiet" icon="leave" label={t('shell.signOut')} onClick={() => void signOut()} />}
      </div>
    </div>
  )
}

function LiveState() {
  const state = connection.value
  return (
    <p class={`live live-${state}`} role="status" title={tName('live.explain', state)} data-connection={state}>
      <span class="live-dot" aria-hidden="true" />
      {tName('live', state)}
      {state !== 'live' && <span class="hidden">{tName('live.explain', state)}</span>}
    </p>
  )
}
