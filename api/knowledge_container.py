"""What the api process builds for threads and collections."""

from api.cursors import CursorSigner
from api.erasure import Erasure
from api.key_ring import load_jwt_secret
from api.references import References
from api.v1.collection.document_service import DocumentService
from api.v1.collection.service import CollectionService
from api.v1.thread.service import ThreadService
from api.v1.thread.turns import TurnService
from common.container import CommonContainer
from common.injection import providers
from common.repository.collection import CollectionRepository
from common.repository.document import DocumentRepository
from common.repository.thread import ThreadRepository


class KnowledgeContainer(CommonContainer):
    """The part of `ApiContainer` behind /threads and /collections."""

    secret = providers.Singleton(load_jwt_secret, CommonContainer.settings)
    cursors = providers.Singleton(CursorSigner, secret)
    threads = providers.Singleton(ThreadRepository)
    collections = providers.Singleton(CollectionRepository)
    references = providers.Singleton(References, CommonContainer.sessions, threads, collections)
    thread_service = providers.Singleton(
        ThreadService, CommonContainer.sessions, threads, cursors, CommonContainer.request_keys, references
    )
    turn_service = providers.Singleton(
        TurnService,
        CommonContainer.sessions,
        threads,
        CommonContainer.jobs,
        CommonContainer.queue,
        CommonContainer.placement,
        CommonContainer.depth,
        CommonContainer.announcer,
        CommonContainer.request_keys,
    )
    collection_service = providers.Singleton(
        CollectionService,
        CommonContainer.settings,
        CommonContainer.sessions,
        collections,
        cursors,
        CommonContainer.request_keys,
    )
    document_service = providers.Singleton(
        DocumentService,
        CommonContainer.settings,
        CommonContainer.sessions,
        collections,
        providers.Singleton(DocumentRepository),
        CommonContainer.jobs,
        CommonContainer.queue,
        CommonContainer.announcer,
        CommonContainer.storage,
        cursors,
        CommonContainer.request_keys,
    )
    erasure = providers.Singleton(Erasure, threads, collections, CommonContainer.queue)
