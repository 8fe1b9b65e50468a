import type { ComponentChildren } from 'preact'
import { t } from '../i18n'
import { useForm, type Given } from '../state/form'
import { Button, CopyText, Dialog, ProblemBox } from './basics'

interface Props {
  title: string
  action: string
  onSend: (given: Given) => Promise<void>
  onClose: () => void
  wide?: boolean
  children: ComponentChildren
}

/** A dialog that is one form: its fields, what was refused of them, and the button that sends it. */
export function FormDialog({ title, action, onSend, onClose, wide, children }: Props) {
  const form = useForm(onSend)
  return (
    <Dialog title={title} onClose={onClose} wide={wide}>
      <form onSubmit={form.onSubmit}>
        <div class="dialog-body">
          {children}
          <ProblemBox problem={form.problem} />
        </div>
        <footer class="dialog-foot">
          <Button onClick={onClose}>{t('word.cancel')}</Button>
          <Button look="main" type="submit" disabled={form.isBusy}>{action}</Button>
        </footer>
      </form>
    </Dialog>
  )
}

/** A secret that is shown this once. */
export function SecretDialog({ title, secret, onClose }: { title: string; secret: string; onClose: () => void }) {
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="dialog-body"><p>{t('keys.once')}</p><p class="secret"><CopyText text={secret} /></p></div>
      <footer class="dialog-foot"><Button look="main" onClick={onClose}>{t('word.close')}</Button></footer>
    </Dialog>
  )
}

interface ChecksProps {
  legend: string
  name: string
  options: readonly (readonly [value: string, text: string])[]
  chosen: readonly string[]
}

/** Several of a few; the form has each that is checked under `name`. */
export function Checks({ legend, name, options, chosen }: ChecksProps) {
  return (
    <fieldset class="form-group">
      <legend>{legend}</legend>
      <div class="checks">
        {options.map(([value, text]) => <label key={value}><input type="checkbox" class="check" name={name} value={value} defaultChecked={chosen.includes(value)} />{text}</label>)}
      </div>
    </fieldset>
  )
}
