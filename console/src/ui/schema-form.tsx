/** A form for a payload, made from its JSON Schema. What has no form of its own is edited as JSON. */
import { useSignal } from '@preact/signals'
import type { FieldProblem, Json, Schema } from '../api/types'
import { t } from '../i18n'
import { Button, Field } from './basics'
import { initial, resolve } from './schema'

interface Props {
  schema: Schema
  root: Schema
  value: Json | undefined
  onChange: (value: Json | undefined) => void
  path: string[]
  errors: FieldProblem[]
}

const LONG = new Set(['text', 'content', 'prompt', 'html', 'message', 'body'])

/** The properties of an object, one below the other. */
export function SchemaForm({ schema, root, value, onChange, path, errors }: Props) {
  const known = resolve(schema, root)
  const current = isObject(value) ? value : {}
  const names = Object.keys(known.properties ?? {})
  const required = new Set(known.required)
  const change = (name: string, next: Json | undefined) => {
    const { [name]: _, ...rest } = current
    onChange(next === undefined ? rest : { ...rest, [name]: next })
  }
  return (
    <div class="form-grid">
      {names.map((name) => {
        const each = resolve(known.properties?.[name] ?? {}, root)
        const at = [...path, name]
        const wrong = errors.find((error) => error.path.join('.').endsWith(at.join('.')))
        const label = <>{name}{!required.has(name) && <span class="faint"> · {t('word.optional')}</span>}</>
        if (each.type === 'object' && each.properties)
          return <Group key={name} name={name} isRequired={required.has(name)} value={current[name]} begin={() => change(name, initial(each, root))} end={() => change(name, undefined)}>
            <SchemaForm schema={each} root={root} value={current[name]} onChange={(next) => change(name, next)} path={at} errors={errors} />
          </Group>
        if (each.type === 'array' && each.items)
          return <List key={name} name={name} schema={each} root={root} value={current[name]} onChange={(next) => change(name, next)} path={at} errors={errors} isRequired={required.has(name)} />
        return (
          <Field key={name} label={label} hint={each.description} error={wrong?.message}>
            {(id, described) => <Input id={id} described={described} name={name} schema={each} value={current[name]} isRequired={required.has(name)} onChange={(next) => change(name, next)} />}
          </Field>
        )
      })}
    </div>
  )
}

function Group({ name, isRequired, value, begin, end, children }: { name: string; isRequired: boolean; value: Json | undefined; begin: () => void; end: () => void; children: preact.ComponentChildren }) {
  const isThere = isRequired || value !== undefined
  return (
    <fieldset class="form-group">
      <legend>{name}{!isRequired && <span class="faint"> · {t('word.optional')}</span>}</legend>
      {isThere ? children : null}
      {!isRequired && (isThere ? <Button look="quiet" icon="x" onClick={end}>{t('word.remove')}</Button> : <Button look="quiet" icon="plus" onClick={begin}>{t('word.add')}</Button>)}
    </fieldset>
  )
}

function List({ name, schema, root, value, onChange, path, errors, isRequired }: Props & { name: string; isRequired: boolean }) {
  const items = Array.isArray(value) ? value : []
  const item = resolve(schema.items ?? {}, root)
  const set = (next: Json[]) => onChange(next.length || isRequired ? next : undefined)
  const put = (index: number, next: Json | undefined) => set(items.map((each, at) => (at === index ? (next ?? null) : each)))
  return (
    <fieldset class="form-group">
      <legend>{name}{!isRequired && <span class="faint"> · {t('word.optional')}</span>}</legend>
      {items.map((each, index) => (
        <div class="form-item" key={index}>
          {item.type === 'object' && item.properties
            ? <SchemaForm schema={item} root={root} value={each} onChange={(next) => put(index, next)} path={[...path, String(index)]} errors={errors} />
            : <Field label={`${name} ${index + 1}`}>{(id, described) => <Input id={id} described={described} name={name} schema={item} value={each} isRequired onChange={(next) => put(index, next)} />}</Field>}
          <Button look="quiet" icon="trash" label={`${t('word.remove')}: ${name} ${index + 1}`} onClick={() => set(items.filter((_, at) => at !== index))} />
        </div>
      ))}
      <Button look="quiet" icon="plus" onClick={() => set([...items, initial(item, root) ?? null])}>{t('word.add')}</Button>
    </fieldset>
  )
}

interface InputProps {
  id: string
  described: string | undefined
  name: string
  schema: Schema
  value: Json | undefined
  isRequired: boolean
  onChange: (value: Json | undefined) => void
}

function Input({ id, described, name, schema, value, isRequired, onChange }: InputProps) {
  const shared = { id, 'aria-describedby': described, required: isRequired }
  if (schema.enum)
    return (
      <select {...shared} class="select" value={value === undefined ? '' : String(value)} onChange={(event) => onChange(event.currentTarget.value || undefined)}>
        {!isRequired && <option value="">{t('word.unset')}</option>}
        {schema.enum.map((each) => <option key={String(each)} value={String(each)} selected={each === value}>{String(each)}</option>)}
      </select>
    )
  if (schema.type === 'boolean')
    return <input {...shared} required={false} type="checkbox" class="check" checked={value === undefined ? schema.default === true : value === true} onChange={(event) => onChange(event.currentTarget.checked)} />
  if (schema.type === 'integer' || schema.type === 'number')
    return <input {...shared} class="input" type="number" step={schema.type === 'integer' ? 1 : 'any'} min={schema.minimum} max={schema.maximum} value={value === undefined ? '' : String(value)} onInput={(event) => onChange(event.currentTarget.value === '' ? undefined : event.currentTarget.valueAsNumber)} />
  if (schema.type === 'string') {
    const text = value === undefined ? '' : String(value)
    const put = (next: string) => onChange(next === '' && !isRequired ? undefined : next)
    if (LONG.has(name) && !schema.format) return <textarea {...shared} class="input" rows={3} value={text} onInput={(event) => put(event.currentTarget.value)} />
    return <input {...shared} class="input" value={text} onInput={(event) => put(event.currentTarget.value)} />
  }
  return <JsonInput id={id} value={value} onChange={onChange} />
}

/** Any value, as JSON. What cannot be read as JSON stays in the field and changes nothing. */
export function JsonInput({ id, value, onChange, rows = 3 }: { id: string; value: Json | undefined; onChange: (value: Json | undefined) => void; rows?: number }) {
  const text = useSignal(value === undefined ? '' : JSON.stringify(value, null, 2))
  const wrong = useSignal('')
  const put = (next: string) => {
    text.value = next
    try {
      onChange(next.trim() ? (JSON.parse(next) as Json) : undefined)
      wrong.value = ''
    } catch (error) {
      wrong.value = (error as Error).message
    }
  }
  return (
    <>
      <textarea id={id} class="input mono" rows={rows} spellcheck={false} value={text.value} aria-invalid={wrong.value !== ''} onInput={(event) => put(event.currentTarget.value)} />
      {wrong.value && <p class="field-error">{t('submit.invalidJson', { error: wrong.value })}</p>}
    </>
  )
}

const isObject = (value: Json | undefined): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
