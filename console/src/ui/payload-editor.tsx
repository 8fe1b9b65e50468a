import { useSignal } from '@preact/signals'
import { useId } from 'preact/hooks'
import type { FieldProblem, Json, Kind, Schema } from '../api/types'
import { t } from '../i18n'
import { Segmented } from './basics'
import { JsonInput, SchemaForm } from './schema-form'

interface Props {
  kind: Kind
  value: Json | undefined
  onChange: (value: Json | undefined) => void
  errors: FieldProblem[]
}

/** A payload of a kind, as a form or as JSON. */
export function PayloadEditor({ kind, value, onChange, errors }: Props) {
  const look = useSignal('form')
  const id = useId()
  const schema = kind.payload as Schema
  return (
    <fieldset class="payload">
      <legend class="hidden">{t('submit.payload')}</legend>
      <div class="payload-head">
        <span class="field-label">{t('submit.payload')}</span>
        <Segmented label={t('submit.payload')} value={look.value} options={[['form', t('word.form')], ['json', t('word.json')]]} onChange={(next) => (look.value = next)} />
      </div>
      {look.value === 'form'
        ? <SchemaForm schema={schema} root={schema} value={value} onChange={onChange} path={['payload']} errors={errors} />
        : <><label class="hidden" for={id}>{t('submit.payload')}</label><JsonInput id={id} value={value} onChange={onChange} rows={10} /></>}
    </fieldset>
  )
}
