"""The objects that live as long as the application, and how they are connected."""

import datetime as dt
from collections.abc import Callable

from starlette.routing import Route

from models.byte_cache import CacheUse, shares, use_of
from models.db.database import Database
from models.visibility import Role, Viewer, Visibility
from resolvers import geography
from resolvers.access_log import AccessLog
from resolvers.actions.offline import OfflineRules
from resolvers.evidence import store as evidence_store
from resolvers.evidence.signed_urls import Signer
from resolvers.sql.prepared import STATEMENTS
from schema.build import build
from schema.execution.executor import Executor
from schema.live.streams import LiveStreams
from subscriptions.event_log import APPEND_LOCK, DatabaseLog
from subscriptions.feed import Feed
from subscriptions.notifier import Notifier
from web.admission import Admission, FailedTokens
from web.auth.endpoints import PeopleEndpoints
from web.auth.keys import Purpose
from web.auth.provider_tokens import ProviderTokens, TokenProvider
from web.auth.sessions import Authenticator
from web.auth.tokens import Tokens
from web.loop_delay import LoopDelay
from web.open_files import OpenFiles
from web.readiness import Readiness
from web.register.endpoints import RegisterEndpoints
from web.resumable import ResumableEndpoint
from web.settings import Settings, announced_kinds, secrets
from web.shares import ShareLimits, Shares
from web.uploads import EvidenceEndpoint, Intake


class AppState:
    """The objects that live as long as the application."""

    def __init__(self, settings: Settings, clock: Callable[[], dt.datetime]) -> None:
        self.settings = settings
        own = secrets(settings)
        if own is None:
            raise ValueError("HUHANG_SECRET is needed outside demo mode")
        self.secrets, self.memory = own, shares(settings.cache_bytes)
        STATEMENTS.maximum = self.memory.statements  # of all applications in the process
        self.tokens = Tokens(own.current, *own.old)
        signer = Signer(*own.keys(Purpose.EVIDENCE_ADDRESSES))
        self.database = Database(
            settings.database_url,
            pool_size=settings.pool_size,
            deadline=settings.deadline,
            lock_timeout=settings.lock_timeout,
            statement_timeout=settings.statement_timeout,
        )
        self.loop_delay, self.open_files = LoopDelay(), OpenFiles()
        self._zone_known = False
        self.viewers = self._authenticator(clock)
        self.shares = Shares(share_limits(settings), self.database.heavy_reads)
        failed = FailedTokens(settings.failed_tokens_per_minute, settings.bus_url)
        self.admission = Admission(self.viewers, self.shares, failed, logged=settings.request_log)
        event_log = DatabaseLog(self.database)
        self.feed = Feed(event_log, checks=(self._learn_zone, self.viewers.recheck), memory=self.memory)
        self.notifier = Notifier(settings.bus_url, self.feed.notify)
        self.readiness = Readiness(self.database.probe(APPEND_LOCK), self.feed, self.notifier)
        self.access_log = AccessLog(self.database, clock, days=settings.access_days)
        self.graph = build()
        self.execution = self._executor(clock, signer)
        self.live = self._live_streams(event_log, clock)
        store = evidence_store.open_store(settings.evidence_url)
        intake = Intake(self.database, store, clock, settings.evidence_limit)
        self.evidence = EvidenceEndpoint(self.admission, intake, signer, self.access_log)
        self.uploads = ResumableEndpoint(self.admission, intake)
        self.register = RegisterEndpoints(
            self.admission, settings.database_url, self.notifier.notify, limit=settings.import_limit
        )
        self.people = PeopleEndpoints(settings, self.secrets, self.database, self.admission, clock)

    def _executor(self, clock: Callable[[], dt.datetime], signer: Signer) -> Executor:
        settings = self.settings
        return Executor(
            self.graph,
            self.database,
            geography.DEFAULT_ZONE,
            clock,
            notify=self.notifier.notify,
            introspection=settings.introspection,
            signer=signer,
            cost_limit=settings.cost_limit,
            deadline=settings.deadline,
            announced=announced_kinds(settings.announced),
            answer_limit=settings.answer_limit,
            access_log=self.access_log,
            position_age=dt.timedelta(minutes=settings.position_minutes),
            offline=OfflineRules.of(settings.offline_days, settings.clock_tolerance),
            document_bytes=self.memory.documents,
        )

    def _live_streams(self, event_log: DatabaseLog, clock: Callable[[], dt.datetime]) -> LiveStreams:
        days = self.settings.retention_days
        return LiveStreams(
            self.execution,
            self.database,
            event_log,
            self.feed,
            clock,
            retention=None if days is None else dt.timedelta(days=days),
            presence=self.notifier.presence,
        )

    def _authenticator(self, clock: Callable[[], dt.datetime]) -> Authenticator:
        settings, provider = self.settings, None
        # In demo mode a request without a token sees what a wall sees.
        anonymous = Viewer(Visibility(Role.WALL)) if settings.demo else None
        if settings.jwks_url is not None:
            tokens = ProviderTokens(settings.jwks_url, settings.jwks_issuer or "", settings.jwks_audience or "", clock)
            provider = TokenProvider(tokens, settings.claim_mapping, self.database, clock)
        return Authenticator(
            self.tokens,
            self.database,
            clock,
            anonymous,
            demo=settings.demo,
            provider=provider,
            totp_roles=settings.totp_roles,
            cache_bytes=self.memory.viewers,
        )

    @property
    def routes(self) -> list[Route]:
        """The paths of evidence, of files of the register, and of people who sign in."""
        return [*self.evidence.routes, *self.uploads.routes, *self.register.routes, *self.people.routes]

    def cache_use(self) -> dict[str, CacheUse]:
        """The use of each cache, by its name."""
        return {
            "documents": use_of(self.execution.documents.cache),
            "statements": use_of(STATEMENTS),
            "viewers": use_of(self.viewers.cache),
            **self.feed.cache_use(),
        }

    async def _learn_zone(self) -> None:
        """Look for the district's time zone until there is a district. A district's zone never changes."""
        if not self._zone_known and (zone := await geography.time_zone(self.database)) is not None:
            self.execution.zone, self._zone_known = zone, True

    async def open(self) -> None:
        self.loop_delay.start()
        self.open_files.start()
        await self.feed.start()
        self.notifier.start()
        self.viewers.start()
        self.access_log.start()
        # After the feed has started: an event between the two might be the only one about a new district.
        await self._learn_zone()

    async def close(self) -> None:
        self.loop_delay.stop()
        self.open_files.stop()
        await self.readiness.stop()
        await self.notifier.stop()
        await self.live.stop()
        await self.access_log.stop()
        await self.viewers.stop()
        await self.people.close()
        await self.admission.failed.close()
        await self.database.close()


def share_limits(settings: Settings) -> ShareLimits:
    return ShareLimits(
        operations_per_minute=settings.operations_per_minute,
        anonymous_per_minute=settings.anonymous_per_minute,
        streams=settings.streams_per_viewer,
        streams_per_address=settings.streams_per_address,
        subscriptions=settings.subscriptions_per_viewer,
        documents=settings.live_documents_per_viewer,
        documents_maximum=settings.live_documents,
    )
