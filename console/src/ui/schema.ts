/** Reading JSON Schema as pydantic writes it. */
import type { Json, Schema } from '../api/types'

/** The schema that `schema` stands for: references followed, `X | null` as X. */
export function resolve(schema: Schema, root: Schema): Schema {
  if (schema.$ref) {
    const found = root.$defs?.[schema.$ref.split('/').at(-1) ?? '']
    return found ? resolve({ ...found, ...withoutRef(schema) }, root) : schema
  }
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf
  const useful = choices?.filter((each) => each.type !== 'null')
  if (useful?.length === 1 && useful[0]) return resolve({ ...useful[0], ...outer(schema) }, root)
  return schema
}

export const mayBeNull = (schema: Schema): boolean => (schema.anyOf ?? []).some((each) => each.type === 'null')

/** A value to begin a form with: what must be there, and nothing else. */
export function initial(schema: Schema, root: Schema): Json | undefined {
  const known = resolve(schema, root)
  if (known.default !== undefined) return known.default
  if (known.examples?.length) return known.examples[0]
  if (known.enum) return known.enum[0]
  switch (known.type) {
    case 'object': return object(known, root)
    case 'array': return []
    case 'boolean': return false
    case 'integer':
    case 'number': return known.minimum ?? 0
    default: return ''
  }
}

function object(schema: Schema, root: Schema): Json {
  const value: Record<string, Json> = {}
  for (const name of schema.required ?? []) {
    const first = initial(schema.properties?.[name] ?? {}, root)
    if (first !== undefined) value[name] = first
  }
  return value
}

function withoutRef({ $ref: _, ...rest }: Schema): Schema {
  return rest
}

function outer({ title, description, default: first, examples }: Schema): Schema {
  const kept: Schema = {}
  if (title) kept.title = title
  if (description) kept.description = description
  if (first !== undefined && first !== null) kept.default = first
  if (examples) kept.examples = examples
  return kept
}
