/** The shapes of the public interface; `schema.d.ts` is made from docs/openapi.json before each build. */
import type { components } from './schema'

type Schemas = components['schemas']

export type Job = Schemas['JobRead']
export type JobSummary = Schemas['JobSummary']
export type JobStatus = Schemas['JobStatus']
export type WaitFacts = Schemas['WaitingRead']
export type Attempt = Schemas['AttemptRead']
export type Kind = Schemas['KindRead']
export type Queue = Schemas['QueueRead']
export type Worker = Schemas['WorkerRead']
export type Schedule = Schemas['ScheduleRead']
export type Firing = Schemas['FiringRead']
export type Slot = Schemas['SlotRead']
export type Mail = Schemas['MailRead']
export type LogEntry = Schemas['LogRead']
export type User = Schemas['UserRead']
export type Role = Schemas['Role']
export type ApiKey = Schemas['ApiKeyRead']
export type ApiKeyCreated = Schemas['ApiKeyCreated']
export type Scope = Schemas['Scope']
export type Tokens = Schemas['LoginRead']
export type Webhook = Schemas['WebhookRead']
export type WebhookWithSecret = Schemas['WebhookSecret']
export type Delivery = Schemas['DeliveryRead']
export type SignIn = Schemas['SessionRead']
export type AuditEvent = Schemas['AuditEventRead']
export type Budget = Schemas['BudgetRead']
export type Tenant = Schemas['TenantRead']
export type Checkpoint = Schemas['CheckpointRead']
export type ThreadState = Schemas['ThreadState']
export type Interrupt = Schemas['AgentInterrupt']
export type Strategy = Schemas['Strategy']
export type Thread = Schemas['ThreadRead']
export type Message = Schemas['MessageRead']
export type Collection = Schemas['CollectionRead']
export type Doc = Schemas['DocumentRead']
export type Passage = Schemas['PassageRead']
export type UsageReport = Schemas['UsageReport']
export type FieldProblem = Schemas['FieldProblem']

/** A page of a list, newest first. */
export interface Page<T> {
  items: T[]
  next_cursor?: string | null
}

/** One numbered event of a job, as Socket.IO brings it. */
export interface JobEvent {
  job_id: string
  epoch: string
  seq: number
  type: string
  ts: string
  attempt: number
  data: Record<string, unknown>
  owner_id?: string
}

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** The parts of JSON Schema that payload models use. */
export interface Schema {
  $ref?: string
  $defs?: Record<string, Schema>
  type?: string
  title?: string
  description?: string
  enum?: Json[]
  const?: Json
  default?: Json
  examples?: Json[]
  format?: string
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  minimum?: number
  maximum?: number
  maxLength?: number
  maxItems?: number
}
