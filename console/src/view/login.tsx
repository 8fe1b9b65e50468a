import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { t } from '../i18n'
import { mayRegister } from '../state/features'
import { useForm } from '../state/form'
import { begin, session, signIn, signInWithKey } from '../state/session'
import { Button, Field, ProblemBox, Segmented } from '../ui/basics'
import { DoorCard, DoorLink, forgetWord } from './door'

/** The door: an account, or a key for who has none. */
export function LoginView() {
  const way = useSignal('account')
  const reason = session.value.state === 'out' ? session.value.reason : undefined
  return (
    <DoorCard title={t('login.title')}>
      {reason === 'expired' && <p class="notice" role="status">{t('login.expired')}</p>}
      {reason === 'unreachable' && <p class="notice" role="alert">{t('login.unreachable')} <Button look="quiet" onClick={() => void begin()}>{t('login.again')}</Button></p>}
      <Segmented label={t('login.kind')} value={way.value} options={[['account', t('login.account')], ['key', t('login.key')]]} onChange={(value) => (way.value = value)} />
      <LoginForm key={way.value} isAccount={way.value === 'account'} />
      {way.value === 'account' && (
        <p class="login-links">
          {mayRegister && <DoorLink to="register">{t('door.register')}</DoorLink>}
          <DoorLink to="forgot-password">{t('door.forgot')}</DoorLink>
        </p>
      )}
    </DoorCard>
  )
}

function LoginForm({ isAccount }: { isAccount: boolean }) {
  const form = useForm(async (given) => {
    await (isAccount ? signIn(given.text('email') ?? '', given.raw('password')) : signInWithKey(given.text('token') ?? ''))
    forgetWord()
  })
  const first = useRef<HTMLInputElement>(null)
  useEffect(() => first.current?.focus(), [])
  return (
    <form class="login-form" onSubmit={form.onSubmit}>
      {isAccount ? (
        <>
          <Field label={t('login.email')}>{(id) => <input id={id} class="input" name="email" type="email" autocomplete="username" required ref={first} />}</Field>
          <Field label={t('login.password')}>{(id) => <input id={id} class="input" name="password" type="password" autocomplete="current-password" required />}</Field>
        </>
      ) : (
        <Field label={t('login.token')} hint={t('login.tokenHint')}>
          {(id, described) => <input id={id} aria-describedby={described} class="input mono" name="token" type="password" autocomplete="off" required ref={first} />}
        </Field>
      )}
      <ProblemBox problem={form.problem} />
      <Button look="main" type="submit" disabled={form.isBusy}>{t('login.submit')}</Button>
    </form>
  )
}
