import './style/fonts.css'
import './style/base.css'
import './style/shell.css'
import './style/parts.css'
import './style/views.css'
import { render } from 'preact'
import { App } from './app'
import { startKinds } from './state/kinds'
import { startLive } from './state/live'
import { startPreferences } from './state/preferences'
import { startRouting } from './state/route'
import { startRates } from './state/rates'
import { begin } from './state/session'

startPreferences()
startRouting()
render(<App />, document.getElementById('app') as HTMLElement)
void begin().then(() => {
  startKinds()
  startLive()
  startRates()
})
