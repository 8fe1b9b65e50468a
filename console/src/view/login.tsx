import { useSignal } from '@preact/signals'
import { Problem } from '../api/client'
import { t } from '../i18n'
import { language, theme, type Language, type Theme } from '../state/preferences'
import { begin, session, signIn, signInWithKey } from '../state/session'
import { Mark } from '../shell'
import { Button, Field, ProblemBox, Segmented } from '../ui/basics'

/** The door: an account, or a key for who has none. */
export function LoginView() {
  const way = useSignal('account')
  const problem = useSignal<Problem | null>(null)
  const isBusy = useSignal(false)
  const reason = session.value.state === 'out' ? session.value.reason : undefined

  const submit = async (event: Event) => {
    event.preventDefault()
    const given = new FormData(event.currentTarget as HTMLFormElement)
    const read = (name: string) => String(given.get(name) ?? '').trim()
    isBusy.value = true
    problem.value = null
    try {
      await (way.value === 'account' ? signIn(read('email'), String(given.get('password'))) : signInWithKey(read('token')))
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problem.value = error
    } finally {
      isBusy.value = false
    }
  }
  return (
    <main class="login">
      <form class="login-card" onSubmit={(event) => void submit(event)}>
        <Mark size={40} />
        <h1>{t('login.title')}</h1>
        {reason === 'expired' && <p class="notice" role="status">{t('login.expired')}</p>}
        {reason === 'unreachable' && <p class="notice" role="alert">{t('login.unreachable')} <Button look="quiet" onClick={() => void begin()}>{t('login.again')}</Button></p>}
        <Segmented label={t('login.kind')} value={way.value} options={[['account', t('login.account')], ['key', t('login.key')]]} onChange={(value) => { way.value = value; problem.value = null }} />
        {way.value === 'account' ? (
          <>
            <Field label={t('login.email')}>{(id) => <input id={id} class="input" name="email" type="email" autocomplete="username" required autofocus />}</Field>
            <Field label={t('login.password')}>{(id) => <input id={id} class="input" name="password" type="password" autocomplete="current-password" required />}</Field>
          </>
        ) : (
          <Field label={t('login.token')} hint={t('login.tokenHint')}>
            {(id, described) => <input id={id} aria-describedby={described} class="input mono" name="token" type="password" autocomplete="off" required />}
          </Field>
        )}
        <ProblemBox problem={problem.value} />
        <Button look="main" type="submit" disabled={isBusy.value}>{t('login.submit')}</Button>
        <div class="prefs">
          <Segmented label={t('theme.label')} value={theme.value} options={[['system', t('theme.system')], ['light', t('theme.light')], ['dark', t('theme.dark')]]} onChange={(value) => (theme.value = value as Theme)} />
          <Segmented label={t('language.label')} value={language.value} options={[['en', 'EN'], ['ko', '한국어']]} onChange={(value) => (language.value = value as Language)} />
        </div>
      </form>
    </main>
  )
}
