import { t } from './i18n'
import { route } from './state/route'
import { session } from './state/session'
import { Shell } from './shell'
import { Empty, Loading, ViewHead } from './ui/basics'
import { Toasts } from './ui/toast'
import { findView } from './views'
import { DOORS } from './view/door'
import { LoginView } from './view/login'

export function App() {
  const { state } = session.value
  const Door = DOORS[route.value.parts[0] ?? '']
  return (
    <>
      {state === 'unknown' && <Loading />}
      {state !== 'unknown' && Door && <Door />}
      {state === 'out' && !Door && <LoginView />}
      {state === 'in' && !Door && <Shell><CurrentView /></Shell>}
      <Toasts />
    </>
  )
}

function CurrentView() {
  const [name = 'jobs', id] = route.value.parts
  const found = findView(name)
  if (!found) {
    return <><ViewHead title={t('notFound.title')} /><Empty title={t('notFound.title')} text={t('notFound.text')} icon="search" /></>
  }
  const View = id && found.one ? found.one : found.view
  return <View key={id ?? name} id={id ?? ''} />
}
