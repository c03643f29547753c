"""Consumer groups: who is a member, and which of them has which partitions, by Kafka's classic protocol.

Membership is in memory: after a restart of the broker members are unknown and join again, as clients do by themselves.
"""

import asyncio
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from lastmile.embedded.broker.errors import Code, Refused

#: The first members of a group come together, as far as they come within so long.
GATHERING_SECONDS = 0.5
LONGEST_SESSION_SECONDS = 1800.0


class State(StrEnum):
    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


@dataclass(eq=False)
class Member:
    """A consumer. `protocols` are the assignors it knows, each with its metadata; it is dead after `deadline`."""

    id: str
    client_id: str
    host: str
    session_seconds: float
    rebalance_seconds: float
    protocols: dict[str, bytes]
    assignment: bytes = b""
    deadline: float = 0.0
    joining: "asyncio.Future[Joined] | None" = None
    syncing: "asyncio.Future[bytes] | None" = None

    def is_seen(self) -> None:
        self.deadline = time.monotonic() + self.session_seconds


@dataclass(frozen=True)
class Joined:
    """What a member learns when all have joined; `members` only the leader, which assigns."""

    generation: int
    protocol: str
    leader: str
    member: str
    members: dict[str, bytes]


@dataclass(eq=False)
class Group:
    """One group; `until` is when a rebalance stops waiting for members, `not_before` when it may end first."""

    name: str
    protocol_type: str = ""
    state: State = State.EMPTY
    generation: int = 0
    protocol: str = ""
    leader: str = ""
    members: dict[str, Member] = field(default_factory=dict)
    until: float = 0.0
    not_before: float = 0.0

    async def join(self, member_id: str, new: Member, protocol_type: str) -> Joined:
        """Return when all have joined. Raises Refused."""
        if not 0 < new.session_seconds <= LONGEST_SESSION_SECONDS:
            raise Refused(Code.INVALID_SESSION_TIMEOUT)
        if self.members and protocol_type != self.protocol_type:
            raise Refused(Code.INCONSISTENT_GROUP_PROTOCOL)
        others = [one for one in self.members.values() if one.id != member_id]
        if not new.protocols or not all(any(name in one.protocols for name in new.protocols) for one in others):
            raise Refused(Code.INCONSISTENT_GROUP_PROTOCOL)
        self.protocol_type = protocol_type
        member = self._member(member_id) if member_id else self._enter(new)
        is_same, member.protocols = member.protocols == new.protocols, new.protocols
        member.session_seconds, member.rebalance_seconds = new.session_seconds, new.rebalance_seconds
        member.is_seen()
        is_settled = self.state in (State.STABLE, State.COMPLETING)
        if member_id and is_same and is_settled and (member_id != self.leader or self.state is State.COMPLETING):
            return self._joined(member)
        return await self._rejoin(member, is_new=not member_id)

    async def sync(self, member_id: str, generation: int, assignments: dict[str, bytes]) -> bytes:
        """The member's assignment, as soon as the leader has sent all. Raises Refused."""
        member = self.check(member_id, generation)
        if self.state is State.PREPARING:
            raise Refused(Code.REBALANCE_IN_PROGRESS)
        if self.state is State.COMPLETING:
            if member_id != self.leader:
                member.syncing = asyncio.get_running_loop().create_future()
                return await member.syncing
            self._assign(assignments)
        return member.assignment

    def heartbeat(self, member_id: str, generation: int) -> None:
        """Raises Refused where the member has to join again."""
        self.check(member_id, generation)
        if self.state is State.PREPARING:
            raise Refused(Code.REBALANCE_IN_PROGRESS)

    def check(self, member_id: str, generation: int) -> Member:
        """The member, seen alive. Raises Refused where it is none, or not of this generation."""
        member = self._member(member_id)
        if generation != self.generation:
            raise Refused(Code.ILLEGAL_GENERATION)
        member.is_seen()
        return member

    def leave(self, member_id: str) -> None:
        """Raises Refused where there is no such member."""
        member = self._member(member_id)
        del self.members[member_id]
        for waiting in (member.joining, member.syncing):
            if waiting and not waiting.done():
                waiting.set_exception(Refused(Code.UNKNOWN_MEMBER_ID))
        if self.state is State.PREPARING:
            self._complete_when_all_joined()
        else:
            self._prepare()

    def tick(self, now: float) -> None:
        """Members that have been silent for too long leave; a rebalance ends without those who have not joined."""
        for member in list(self.members.values()):
            if member.joining is None and member.deadline < now:
                self.leave(member.id)
        if self.state is State.PREPARING:
            if now >= self.until:
                self._drop_absent()
            self._complete_when_all_joined()

    def _member(self, member_id: str) -> Member:
        if member_id not in self.members:
            raise Refused(Code.UNKNOWN_MEMBER_ID)
        return self.members[member_id]

    def _enter(self, member: Member) -> Member:
        member.id = f"{member.client_id}-{uuid.uuid4()}"
        self.members[member.id] = member
        return member

    async def _rejoin(self, member: Member, is_new: bool) -> Joined:
        if self.state is not State.PREPARING:
            self._prepare()
        joining: asyncio.Future[Joined] = asyncio.get_running_loop().create_future()
        member.joining = joining
        self._complete_when_all_joined()
        try:
            return await joining
        except asyncio.CancelledError:  # the connection is gone
            if is_new and self.members.get(member.id) is member:
                self.leave(member.id)
            raise
        finally:
            if member.joining is joining:
                member.joining = None

    def _prepare(self) -> None:
        now = time.monotonic()
        self.not_before = now + (GATHERING_SECONDS if self.state is State.EMPTY else 0.0)
        self.until = now + max((one.rebalance_seconds for one in self.members.values()), default=0.0)
        self.state = State.PREPARING
        for member in self.members.values():
            if member.syncing and not member.syncing.done():
                member.syncing.set_exception(Refused(Code.REBALANCE_IN_PROGRESS))
            member.syncing = None
        self._complete_when_all_joined()

    def _drop_absent(self) -> None:
        self.members = {name: one for name, one in self.members.items() if one.joining}

    def _complete_when_all_joined(self) -> None:
        if not self.members:
            self.state, self.leader, self.protocol = State.EMPTY, "", ""
            self.generation += 1
        elif time.monotonic() >= self.not_before and all(one.joining for one in self.members.values()):
            self._complete()

    def _complete(self) -> None:
        self.generation += 1
        self.state = State.COMPLETING
        self.protocol = self._common_protocol()
        if self.leader not in self.members:
            self.leader = next(iter(self.members))
        for member in self.members.values():
            member.is_seen()
            joining, member.joining, member.assignment = member.joining, None, b""
            if joining and not joining.done():
                joining.set_result(self._joined(member))

    def _common_protocol(self) -> str:
        """The assignor that all know and most prefer."""
        known = [one.protocols for one in self.members.values()]
        common = [name for name in known[0] if all(name in protocols for protocols in known)]
        votes = Counter(next(name for name in protocols if name in common) for protocols in known)
        return max(common, key=lambda name: votes[name])

    def _joined(self, member: Member) -> Joined:
        is_leader = member.id == self.leader
        members = {one.id: one.protocols[self.protocol] for one in self.members.values()} if is_leader else {}
        return Joined(self.generation, self.protocol, self.leader, member.id, members)

    def _assign(self, assignments: dict[str, bytes]) -> None:
        self.state = State.STABLE
        for member in self.members.values():
            member.assignment = assignments.get(member.id, b"")
            member.is_seen()
            if member.syncing and not member.syncing.done():
                member.syncing.set_result(member.assignment)
            member.syncing = None


class Groups:
    """All groups that have, or have had, members."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}

    def all(self) -> list[Group]:
        return list(self._groups.values())

    def find(self, name: str) -> Group | None:
        return self._groups.get(name)

    def of(self, name: str) -> Group:
        return self._groups.setdefault(name, Group(name))

    def existing(self, name: str) -> Group:
        """Raises Refused where there is no such group, and so no such member."""
        group = self._groups.get(name)
        if group is None:
            raise Refused(Code.UNKNOWN_MEMBER_ID)
        return group

    def tick(self) -> None:
        for group in self.all():
            group.tick(time.monotonic())
