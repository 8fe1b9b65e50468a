/** Every text of the console. `{name}` is replaced. */
export const en = {
  // shell
  'nav.main': 'Main', 'nav.skip': 'Skip to content', 'nav.menu': 'Menu', 'nav.work': 'Work', 'nav.data': 'Data', 'nav.watch': 'Watch', 'nav.manage': 'Manage',
  'nav.jobs': 'Jobs', 'nav.dead': 'Dead letters', 'nav.queues': 'Queues & workers', 'nav.schedules': 'Schedules',
  'nav.mails': 'Mails', 'nav.requests': 'Requests', 'nav.threads': 'Threads', 'nav.collections': 'Documents',
  'nav.people': 'People', 'nav.keys': 'API keys', 'nav.usage': 'Usage', 'nav.webhooks': 'Webhooks',
  'shell.find': 'Open a job by its id', 'shell.signOut': 'Sign out', 'shell.local': 'Local user', 'shell.settings': 'Appearance',
  'theme.label': 'Colours', 'theme.system': 'System', 'theme.light': 'Light', 'theme.dark': 'Dark', 'language.label': 'Language',
  'role.user': 'User', 'role.operator': 'Operator', 'role.admin': 'Admin',
  'live.live': 'Live', 'live.connecting': 'Connecting', 'live.lost': 'Reconnecting', 'live.refused': 'Refused',
  'live.explain.live': 'Updates arrive as they happen', 'live.explain.connecting': 'Opening the live connection',
  'live.explain.lost': 'The live connection was lost; what is shown may be old', 'live.explain.refused': 'The server refuses the live connection; trying again',
  // sign in
  'login.title': 'Sign in to Letuin', 'login.account': 'Account', 'login.key': 'API key', 'login.email': 'E-mail', 'login.password': 'Password',
  'login.token': 'API key or access token', 'login.tokenHint': 'Kept in this tab only, until you close it or sign out.',
  'login.submit': 'Sign in', 'login.expired': 'Your session has ended. Sign in again.', 'login.unreachable': 'The server cannot be reached.', 'login.again': 'Try again',
  'login.kind': 'Sign in with',
  // words
  'word.refresh': 'Refresh', 'word.close': 'Close', 'word.cancel': 'Cancel', 'word.save': 'Save', 'word.create': 'Create', 'word.delete': 'Delete', 'word.all': 'All',
  'word.none': 'none', 'word.more': 'Load more', 'word.copy': 'Copy', 'word.copied': 'Copied', 'word.loading': 'Loading', 'word.status': 'Status', 'word.kind': 'Kind',
  'word.queue': 'Queue', 'word.id': 'Id', 'word.created': 'Created', 'word.owner': 'Owner', 'word.name': 'Name', 'word.time': 'Time', 'word.actions': 'Actions',
  'word.search': 'Search', 'word.send': 'Send', 'word.add': 'Add', 'word.remove': 'Remove', 'word.json': 'JSON', 'word.form': 'Form', 'word.optional': 'optional', 'word.unset': 'not set',
  'word.yes': 'yes', 'word.no': 'no', 'word.error': 'Error', 'word.details': 'Details', 'word.selected': '{n} selected', 'word.on': 'On', 'word.off': 'Off', 'word.back': 'Back', 'word.open': 'Open',
  'problem.title': 'That did not work', 'problem.request': 'Request {id}', 'problem.retry': 'Try again', 'problem.forbidden': 'You may not see this', 'problem.unreachable': 'The server cannot be reached.',
  'notFound.title': 'Nothing here', 'notFound.text': 'There is no such page in the console.',
  // status
  'status.queued': 'Queued', 'status.running': 'Running', 'status.succeeded': 'Succeeded', 'status.failed': 'Failed', 'status.cancelled': 'Cancelled', 'status.expired': 'Expired',
  'status.active': 'Active', 'status.paused': 'Paused', 'status.disabled': 'Disabled', 'status.ended': 'Ended',
  'status.sending': 'Sending', 'status.sent': 'Sent', 'status.deferred': 'Deferred', 'status.unknown': 'Unknown',
  'status.fired': 'Fired', 'status.skipped': 'Skipped', 'status.buffered': 'Buffered', 'status.pending': 'Pending', 'status.processing': 'Processing', 'status.ready': 'Ready', 'status.indexed': 'Indexed', 'status.lost': 'Lost', 'status.timeout': 'Timed out', 'status.retried': 'Retried', 'status.snoozed': 'Snoozed', 'status.released': 'Released', 'status.crashed': 'Crashed', 'status.drained': 'Drained', 'status.retry': 'Retry', 'status.snooze': 'Snooze', 'status.abandoned': 'Abandoned', 'status.revoked': 'Revoked', 'status.valid': 'Valid',
  // jobs
  'jobs.title': 'Jobs', 'jobs.submit': 'Submit a job', 'jobs.everybody': 'Everybody’s', 'jobs.mine': 'Mine', 'jobs.whose': 'Whose jobs', 'jobs.tag': 'Tag',
  'jobs.empty': 'No jobs here', 'jobs.emptyText': 'Jobs appear the moment they are accepted.', 'jobs.fresh': '{n} new', 'jobs.started': 'Started', 'jobs.took': 'Took', 'jobs.age': 'Age', 'jobs.attempt': 'Attempt', 'jobs.batch': 'Batch',
  'jobs.count': '{n} shown', 'jobs.filters': 'Filters', 'jobs.clear': 'Clear filters', 'jobs.truncated': 'Older jobs were left out while new ones came in.', 'jobs.rate': '{n} updates/s', 'jobs.table': 'Jobs, newest first',
  'submit.title': 'Submit a job', 'submit.options': 'Options', 'submit.priority': 'Priority', 'submit.delay': 'Delay (seconds)', 'submit.attempts': 'Most attempts', 'submit.timeout': 'Timeout (seconds)',
  'submit.tags': 'Tags, comma-separated', 'submit.submit': 'Submit', 'submit.done': 'Job accepted', 'submit.payload': 'Payload', 'submit.invalidJson': 'This is not valid JSON: {error}', 'submit.expires': 'Expires if not started within (seconds)',
  // one job
  'job.timeline': 'Timeline', 'job.output': 'Output', 'job.payload': 'Payload', 'job.result': 'Result', 'job.error': 'Error', 'job.attempts': 'Attempts', 'job.facts': 'Facts', 'job.cancel': 'Cancel job', 'job.retry': 'Retry',
  'job.retryWith': 'Retry with another payload', 'job.cancelled': 'Cancelled', 'job.cancelRequested': 'Its worker was asked to stop', 'job.retried': 'Queued again', 'job.noResult': 'No result yet.', 'job.noAttempts': 'No attempt has ended yet.', 'job.gone': 'This job was removed: its retention has passed.',
  'job.runAt': 'Runs at', 'job.finished': 'Finished', 'job.failures': 'Failures', 'job.maxAttempts': 'of {n} attempts', 'job.request': 'Request', 'job.worker': 'Worker', 'job.outcome': 'Outcome', 'job.duration': 'Duration', 'job.tags': 'Tags', 'job.timeoutSeconds': 'Timeout', 'job.priority': 'Priority', 'job.metadata': 'Metadata', 'job.gap': 'Earlier events are gone; this is the job as it is now.', 'job.streaming': 'streaming', 'job.progress': 'Progress',
  'job.chars': '{n} characters', 'job.customId': 'Custom id', 'job.schedule': 'Schedule',
  'why.title': 'Why it waits', 'why.schedule': 'Its time has not come: it may start {until}.', 'why.retry': 'An attempt failed; the next one starts {until}.',
  'why.dependency': 'It waits for other jobs to end first.', 'why.concurrency': 'As many jobs of this kind or owner run as are allowed at the same time.', 'why.paused': 'The queue {queue} is paused.',
  'why.rate': 'A rate limit holds it back.', 'why.budget': 'A budget is used up.', 'why.cooldown': 'Its provider is resting after errors.', 'why.resume': 'Resume queue {queue}', 'why.resumed': 'Queue {queue} resumed', 'why.position': 'Position {n} in its queue.', 'why.estimate': 'Starts in about {time}.',
  'event.queued': 'Queued', 'event.started': 'Attempt {n} started', 'event.progress': 'Progress {percent}', 'event.retrying': 'Will be tried again', 'event.cancelling': 'Asked to stop', 'event.succeeded': 'Succeeded', 'event.failed': 'Failed', 'event.cancelled': 'Cancelled', 'event.expired': 'Expired', 'event.reset': 'Text begins anew', 'event.text': 'Text, {n} pieces',
  // dead letters
  'dead.title': 'Dead letters', 'dead.text': 'Jobs that gave up. Mend the cause, then retry them.', 'dead.retrySelected': 'Retry selected', 'dead.retryAll': 'Retry all mine that match', 'dead.retried': '{n} queued again', 'dead.partly': '{n} queued again, {failed} refused', 'dead.empty': 'No dead letters', 'dead.emptyText': 'Nothing has given up.', 'dead.selectAll': 'Select all shown', 'dead.select': 'Select {id}', 'dead.reason': 'Reason',
  // queues
  'queues.title': 'Queues & workers', 'queues.waiting': 'Waiting', 'queues.running': 'Running', 'queues.workers': 'Workers', 'queues.slots': 'Slots', 'queues.oldest': 'Oldest waits', 'queues.pause': 'Pause', 'queues.resume': 'Resume', 'queues.pauseName': 'Pause queue {name}', 'queues.resumeName': 'Resume queue {name}', 'queues.paused': 'Queue {name} paused', 'queues.resumed': 'Queue {name} resumed', 'queues.nobody': 'No worker', 'queues.depth': 'Waiting and running', 'queues.throughput': 'Jobs a second', 'queues.ended': 'Ended', 'queues.started': 'Started', 'queues.chartAlt': '{title}, last five minutes. Now: {values}.', 'queues.table': 'Queues', 'queues.perSecond': '/s',
  'workers.title': 'Workers', 'workers.host': 'Host', 'workers.load': 'Load', 'workers.seen': 'Seen', 'workers.late': 'Late', 'workers.lateText': 'Its lease has run out: it is cut off, stopped or dead', 'workers.concurrency': 'Concurrency', 'workers.setConcurrency': 'Set concurrency', 'workers.pauseName': 'Pause worker {name}', 'workers.resumeName': 'Resume worker {name}', 'workers.steered': 'The worker obeys at its next heartbeat', 'workers.empty': 'No worker runs', 'workers.emptyText': 'Start one with: letuin worker', 'workers.up': 'Up for', 'workers.lower': 'Lower concurrency of {name}', 'workers.raise': 'Raise concurrency of {name}',
  // schedules
  'schedules.title': 'Schedules', 'schedules.create': 'New schedule', 'schedules.next': 'Next', 'schedules.last': 'Last', 'schedules.when': 'When', 'schedules.pause': 'Pause', 'schedules.resume': 'Resume', 'schedules.runNow': 'Run now', 'schedules.fired': 'Fired once', 'schedules.firings': 'Firings', 'schedules.empty': 'No schedules', 'schedules.emptyText': 'A schedule submits a job by the clock of a time zone, once for each slot.', 'schedules.cron': 'Cron', 'schedules.interval': 'Interval', 'schedules.once': 'Once', 'schedules.intervalSeconds': 'Every (seconds)', 'schedules.runAt': 'At', 'schedules.timezone': 'Time zone', 'schedules.preview': 'Next slots', 'schedules.slot': 'Slot', 'schedules.cause': 'Cause', 'schedules.outcome': 'Outcome', 'schedules.job': 'Job', 'schedules.created': 'Schedule created', 'schedules.deleted': 'Schedule deleted', 'schedules.confirmDelete': 'Delete the schedule {name}? Its jobs stay.', 'schedules.every': 'every {time}', 'schedules.kindOf': 'How', 'schedules.overlap': 'If the last one still runs', 'schedules.catchUp': 'Missed slots', 'schedules.paused': 'Schedule paused', 'schedules.resumed': 'Schedule resumed', 'schedules.lag': 'Lag', 'schedules.noFirings': 'Nothing fired yet.',
  // mails
  'mails.title': 'Mails', 'mails.recipient': 'To', 'mails.subject': 'Subject', 'mails.empty': 'No mails', 'mails.emptyText': 'Every mail that a job sends is recorded here.', 'mails.resend': 'Send again', 'mails.resent': 'Queued to be sent again', 'mails.response': 'The mail server’s words', 'mails.text': 'Text', 'mails.html': 'HTML source', 'mails.template': 'Template', 'mails.messageId': 'Message-ID', 'mails.job': 'Its job', 'mails.variables': 'Variables', 'mails.noText': 'The text is not kept any more.', 'mails.replyTo': 'Reply to', 'mails.choose': 'Choose a mail to read it.', 'mails.list': 'Mails, newest first', 'mails.attachments': 'Attachments',
  // requests
  'requests.title': 'Requests', 'requests.method': 'Method', 'requests.route': 'Path', 'requests.code': 'Status', 'requests.took': 'Took', 'requests.user': 'User', 'requests.empty': 'No requests', 'requests.emptyText': 'Nothing in this window of time matches.', 'requests.id': 'Request id', 'requests.window': 'Window', 'requests.15m': '15 minutes', 'requests.1h': '1 hour', 'requests.6h': '6 hours', 'requests.24h': '24 hours', 'requests.show': 'Show', 'requests.everything': 'Everything', 'requests.changes': 'Changes only', 'requests.errors': 'Errors only', 'requests.off': 'This server keeps no request log', 'requests.offText': 'Set MONGODB_URL to keep one.', 'requests.size': 'Size', 'requests.error': 'Error code', 'requests.jobs': 'Jobs of this request', 'requests.noJobs': 'None among the newest jobs.', 'requests.detail': 'Request',
  // threads
  'threads.title': 'Threads', 'threads.create': 'New thread', 'threads.empty': 'No threads', 'threads.emptyText': 'A thread is a conversation with the agent; every answer is a job.', 'threads.message': 'Message', 'threads.placeholder': 'Ask something', 'threads.you': 'You', 'threads.assistant': 'Assistant', 'threads.untitled': 'Thread {id}', 'threads.choose': 'Choose a thread, or begin one.', 'threads.job': 'Job', 'threads.stop': 'Stop', 'threads.list': 'Threads, newest first', 'threads.log': 'Messages', 'threads.delete': 'Delete thread', 'threads.confirmDelete': 'Delete this thread and its messages?', 'threads.tool': 'Tool', 'threads.system': 'System', 'threads.failed': 'No answer: {error}',
  // collections
  'collections.title': 'Documents', 'collections.create': 'New collection', 'collections.empty': 'No collections', 'collections.emptyText': 'A collection holds documents that can be searched by meaning.', 'collections.upload': 'Upload', 'collections.drop': 'Drop a file here, or choose one', 'collections.uploaded': '{name} was taken; its job is indexing it', 'collections.documents': 'Documents', 'collections.search': 'Search by meaning', 'collections.results': 'Found', 'collections.noResults': 'Nothing found.', 'collections.score': 'Score', 'collections.noDocuments': 'No documents yet.', 'collections.list': 'Collections', 'collections.choose': 'Choose a collection, or make one.', 'collections.size': 'Size', 'collections.delete': 'Delete {name}', 'collections.confirmDelete': 'Delete {name}?', 'collections.chunks': 'Pieces',
  // people
  'people.title': 'People', 'people.email': 'E-mail', 'people.role': 'Role', 'people.active': 'Active', 'people.service': 'Service account', 'people.create': 'Add', 'people.created': 'Added', 'people.changed': 'Changed', 'people.empty': 'Nobody', 'people.disable': 'Disable {name}', 'people.enable': 'Enable {name}', 'people.roleOf': 'Role of {name}', 'people.kind': 'What', 'people.person': 'Person', 'people.disableShort': 'Disable', 'people.enableShort': 'Enable',
  'keys.title': 'API keys', 'keys.create': 'New key', 'keys.prefix': 'Begins with', 'keys.scopes': 'Scopes', 'keys.expires': 'Expires', 'keys.used': 'Last used', 'keys.revoke': 'Revoke', 'keys.revokeName': 'Revoke {name}', 'keys.confirmRevoke': 'Revoke the key {name}? Programs that use it are refused at once.', 'keys.revoked': 'Key revoked', 'keys.empty': 'No keys', 'keys.emptyText': 'Programs sign in with API keys.', 'keys.once': 'Copy it now: it is not shown again.', 'keys.days': 'Valid for (days)', 'keys.never': 'never',
  // usage
  'usage.title': 'Usage', 'usage.empty': 'Nothing used in this time', 'usage.emptyText': 'Calls of language models are counted here.', 'usage.from': 'From', 'usage.to': 'To',
  // webhooks
  'webhooks.title': 'Webhooks', 'webhooks.empty': 'No webhooks', 'webhooks.emptyText': 'A webhook calls a server of yours when a job has ended.', 'webhooks.events': 'Events', 'webhooks.ping': 'Ping', 'webhooks.pinged': 'A ping is on its way', 'webhooks.create': 'New webhook', 'webhooks.secret': 'Its secret, shown this once', 'webhooks.deliveries': 'Deliveries', 'webhooks.lastSuccess': 'Last success',
  'why.snoozed': "Its handler put it off; it goes on {until}.",
  'why.queue': "It waits for its turn in the queue {queue}.",
  'why.unknown_kind': "The worker that took it is of another release and does not know its kind.",
  'why.no_worker': "No worker serves the queue {queue}.",
  'why.positionAtLeast': "More than {n} jobs are before it.",
  'why.until': "It may start {until}.",
  'why.limit': "{scope} {key}: {running} of {limit} places taken.",
  'limit.kind': "Limit of the kind",
  'limit.owner': "Limit of the owner",
  'limit.key': "Limit of the key",
  'limit.crashed': "Runs alone since a crash",
  'queues.wait': "Wait",
  'queues.perMinute': "Ended / min",
  'queues.failedPerMinute': "Failed / min",
  'workers.drain': "Drain",
  'workers.drainName': "Drain worker {name}",
  'status.draining': "Draining",
  'requests.searched': "Searched back to {time}.",
  'requests.older': "Search further back",
  'wait.schedule': 'scheduled', 'wait.retry': 'retries later', 'wait.snoozed': 'put off', 'wait.dependency': 'after other jobs', 'wait.concurrency': 'limit reached', 'wait.rate': 'rate limit', 'wait.budget': 'budget used up', 'wait.cooldown': 'provider rests', 'wait.unknown_kind': 'unknown kind', 'wait.paused': 'queue paused', 'wait.no_worker': 'no worker',
  'threads.approve': "Approve", 'threads.refuse': "Refuse", 'threads.answer': "Answer", 'threads.goOn': "Go on", 'collections.description': "Description", 'status.ingesting': "Indexing", 'usage.by': "By", 'usage.day': "Day", 'usage.model': "Model", 'usage.kind': "Kind", 'usage.cost': "Cost", 'usage.calls': "Calls", 'usage.input': "Input tokens", 'usage.output': "Output tokens", 'usage.cached': "From cache",
} as const
