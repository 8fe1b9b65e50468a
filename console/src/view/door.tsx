/** What can be done without being signed in: an account made, an address proved, a password replaced. */
import { signal, useSignal } from '@preact/signals'
import type { ComponentChildren, ComponentType } from 'preact'
import { useEffect } from 'preact/hooks'
import { call, post } from '../api/client'
import { t, type Key } from '../i18n'
import { useForm, type Given } from '../state/form'
import { language, theme, type Language, type Theme } from '../state/preferences'
import { BASE, go } from '../state/route'
import { session } from '../state/session'
import { Mark } from '../shell'
import { Button, Field, ProblemBox, Segmented } from '../ui/basics'

/** What was just done, told above the next form. */
const told = signal<Key | null>(null)

/** The pages of the door by the path below /console, as mails link to them too. */
export const DOORS: Record<string, ComponentType> = {
  'register': Register, 'verify-email': VerifyEmail, 'forgot-password': ForgotPassword, 'reset-password': ResetPassword, 'change-email': ChangeEmail,
}

/** What stands around a page of the door. */
export function DoorCard({ title, children }: { title: string; children: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} · Letuin`
  }, [title])
  return (
    <main class="login">
      <div class="login-card">
        <Mark size={40} />
        <h1>{title}</h1>
        {told.value && <p class="notice notice-good" role="status">{t(told.value)}</p>}
        {children}
        <div class="prefs">
          <Segmented label={t('theme.label')} value={theme.value} options={[['system', t('theme.system')], ['light', t('theme.light')], ['dark', t('theme.dark')]]} onChange={(value) => (theme.value = value as Theme)} />
          <Segmented label={t('language.label')} value={language.value} options={[['en', 'EN'], ['ko', '한국어']]} onChange={(value) => (language.value = value as Language)} />
        </div>
      </div>
    </main>
  )
}

function DoorForm({ action, onSend, children }: { action: string; onSend: (given: Given) => Promise<void>; children: ComponentChildren }) {
  const form = useForm(onSend)
  return (
    <form class="login-form" onSubmit={form.onSubmit}>
      {children}
      <ProblemBox problem={form.problem} />
      <Button look="main" type="submit" disabled={form.isBusy}>{action}</Button>
    </form>
  )
}

/** Go to another page of the door, with a word about what was done. */
function leave(path: string, word: Key): void {
  told.value = word
  go(path, { replace: true })
}

/** What was done is old news once somebody is in. */
export const forgetWord = (): void => void (told.value = null)

export function DoorLink({ to, children }: { to: string; children: ComponentChildren }) {
  return <a href={`${BASE}/${to}`} onClick={forgetWord}>{children}</a>
}

const BackToLogin = () => <p class="login-links"><DoorLink to="jobs">{t(session.value.state === 'in' ? 'door.toConsole' : 'door.toLogin')}</DoorLink></p>

function EmailField() {
  return <Field label={t('login.email')}>{(id) => <input id={id} class="input" name="email" type="email" autocomplete="username" required />}</Field>
}

function NewPasswordField() {
  return <Field label={t('account.new')} hint={t('door.passwordHint')}>{(id, described) => <input id={id} aria-describedby={described} class="input" name="password" type="password" autocomplete="new-password" required />}</Field>
}

/** The code from a mail; a link in the mail has brought it along behind the `#`. */
function CodeField() {
  const code = useSignal('')
  useEffect(() => {
    const take = () => {
      const brought = new URLSearchParams(location.hash.slice(1)).get('code')
      if (!brought) return
      code.value = brought
      history.replaceState(null, '', location.pathname) // it stays in no history
    }
    take()
    addEventListener('hashchange', take)
    return () => removeEventListener('hashchange', take)
  }, [])
  return <Field label={t('door.code')} hint={t('door.codeHint')}>{(id, described) => <input id={id} aria-describedby={described} class="input mono" name="code" autocomplete="one-time-code" spellcheck={false} required value={code.value} onInput={(event) => (code.value = event.currentTarget.value)} />}</Field>
}

function Register() {
  const send = async (given: Given) => {
    await post('/auth/register', { email: given.text('email'), password: given.raw('password'), name: given.text('name'), locale: language.value })
    leave('/verify-email', 'door.codeSent')
  }
  return (
    <DoorCard title={t('door.register')}>
      <DoorForm action={t('door.registerDo')} onSend={send}>
        <Field label={<>{t('word.name')} <span class="faint">· {t('word.optional')}</span></>}>{(id) => <input id={id} class="input" name="name" autocomplete="name" maxLength={200} />}</Field>
        <EmailField />
        <NewPasswordField />
      </DoorForm>
      <BackToLogin />
    </DoorCard>
  )
}

function VerifyEmail() {
  const isAsking = useSignal(false)
  const confirm = async (given: Given) => {
    await post('/auth/verify-email', { code: given.text('code') })
    leave('/jobs', 'door.verified')
  }
  const resend = async (given: Given) => {
    await post('/auth/verify-email/resend', { email: given.text('email'), locale: language.value })
    isAsking.value = false
    told.value = 'door.codeSent'
  }
  return (
    <DoorCard title={t('door.verify')}>
      {isAsking.value
        ? <DoorForm key="again" action={t('door.sendAgain')} onSend={resend}><EmailField /></DoorForm>
        : <DoorForm key="code" action={t('door.confirm')} onSend={confirm}><CodeField /></DoorForm>}
      <p class="login-links">
        {!isAsking.value && <Button look="quiet" onClick={() => (isAsking.value = true)}>{t('door.noCode')}</Button>}
      </p>
      <BackToLogin />
    </DoorCard>
  )
}

function ForgotPassword() {
  const send = async (given: Given) => {
    await post('/auth/password/forgot', { email: given.text('email'), locale: language.value })
    leave('/reset-password', 'door.codeSent')
  }
  return (
    <DoorCard title={t('door.forgot')}>
      <DoorForm action={t('account.sendCode')} onSend={send}><EmailField /></DoorForm>
      <BackToLogin />
    </DoorCard>
  )
}

function ResetPassword() {
  const send = async (given: Given) => {
    await post('/auth/password/reset', { code: given.text('code'), new_password: given.raw('password') })
    leave('/jobs', 'door.reset')
  }
  return (
    <DoorCard title={t('door.resetTitle')}>
      <DoorForm action={t('account.changePassword')} onSend={send}><CodeField /><NewPasswordField /></DoorForm>
      <BackToLogin />
    </DoorCard>
  )
}

function ChangeEmail() {
  const send = async (given: Given) => {
    await call('POST', '/auth/email/change/confirm', { body: { code: given.text('code') } })
    leave('/jobs', 'door.emailChanged')
  }
  return (
    <DoorCard title={t('account.email')}>
      <DoorForm action={t('door.confirm')} onSend={send}><CodeField /></DoorForm>
      <BackToLogin />
    </DoorCard>
  )
}
