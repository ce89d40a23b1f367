"""The sequencer: takes jobs from the control program and walks their loops, a step a cycle.

A job makes a row: for each pixel, each group of channels, each row of the window, each tap of that row and each LANES
bytes of a tap, the innermost last. The step that ends a group sends a tag along, which says what becomes of its sums.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import enum
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from converters.compiler.back.fpga.hardware.records import LANES, Sizes

QUAD_BITS = (LANES - 1).bit_length()


class Activity(enum.Enum, shape=3):  # type: ignore[call-arg]
    """What the sequencer does in a cycle."""

    FETCH = 0  # the control program is read
    LOAD = 1  # a job begins
    ROW = 2  # waits for a row of the picture
    WRITES = 3  # waits until rows that a job reads are written
    STEP = 4
    QUADS = 5  # waits until the sums before these are on their way
    SEND = 6  # the sums go out


class Sequencer(Component):
    """`retired` tells that the sums of a group were written; `sent` that those of the picture went out."""

    def __init__(self, sizes: Sizes, jobs: list[dict[str, int]]) -> None:
        self.sizes, self.jobs = sizes, jobs
        super().__init__(
            {
                "row_there": In(1),
                "take": Out(1),
                "grant": Out(1),
                "retired": In(1),
                "send": Out(1),
                "sent": In(1),
                "step": Out(sizes.step),
                "activity": Out(Activity),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the unit's logic."""
        m = Module()
        sizes, layout = self.sizes, self.sizes.job_layout
        rom = m.submodules.program = Memory(shape=layout, depth=len(self.jobs), init=self.jobs)
        program = rom.read_port()
        counter, outstanding = Signal(range(len(self.jobs) + 1)), Signal(5)
        m.d.comb += [program.addr.eq(counter), program.en.eq(1)]
        job = Signal(layout)
        step = Signal(sizes.step)
        m.d.comb += self.step.eq(step)
        issue, ends = Signal(), Signal()  # a step, and one that ends a group
        m.d.sync += outstanding.eq(outstanding + (issue & ends) - self.retired)

        walk = _Walk(m, sizes, job)
        m.d.comb += ends.eq(walk.ends_group)
        cool = Signal(4)
        with m.If(issue & ends):
            m.d.sync += cool.eq(walk.quads)
        with m.Elif(cool != 0):
            m.d.sync += cool.eq(cool - 1)
        m.d.sync += step.eq(walk.step)
        m.d.sync += step.valid.eq(issue)

        fetched = program.data
        with m.FSM(init="FETCH"):
            with m.State("FETCH"):
                m.d.comb += self.activity.eq(Activity.FETCH)
                m.next = "LOAD"
            with m.State("LOAD"):
                with m.If(fetched.wait_row & ~self.row_there):
                    m.d.comb += self.activity.eq(Activity.ROW)
                with m.Elif(fetched.wait_writes & (outstanding != 0)):
                    m.d.comb += self.activity.eq(Activity.WRITES)
                with m.Else():
                    m.d.comb += self.activity.eq(Activity.LOAD)
                    m.d.comb += [self.take.eq(fetched.wait_row), self.grant.eq(fetched.grant_row)]
                    m.d.sync += [job.eq(fetched), counter.eq(counter + 1)]
                    walk.begin(m, fetched)
                    with m.If(fetched.idle & fetched.finish):
                        m.next = "DRAIN"
                    with m.Elif(fetched.idle):
                        m.next = "FETCH"
                    with m.Else():
                        m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += issue.eq(~ends | (cool == 0))
                m.d.comb += self.activity.eq(Mux(issue, Activity.STEP, Activity.QUADS))
                with m.If(issue):
                    walk.advance(m)
                    with m.If(walk.ends_job):
                        with m.If(job.finish):
                            m.next = "DRAIN"
                        with m.Else():
                            m.next = "LOAD"
            with m.State("DRAIN"):
                m.d.comb += self.activity.eq(Activity.WRITES)
                with m.If(outstanding == 0):
                    m.d.comb += self.send.eq(1)
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.activity.eq(Activity.SEND)
                with m.If(self.sent):
                    m.d.comb += self.grant.eq(1)  # the first row of the next picture
                    m.d.sync += counter.eq(0)
                    m.next = "FETCH"
        return m


class _Walk:
    """The counters of a job's loops, and the places that they stand for."""

    def __init__(self, m: Module, sizes: Sizes, job: Any) -> None:
        self.job, self.sizes = job, sizes
        width = dict(sizes.job)
        self.pixel, self.group = Signal(width["pixels"]), Signal(width["groups"])
        self.row, self.tap, self.vector = Signal(width["rows"]), Signal(width["taps"]), Signal(width["vectors"])
        place = signed(sizes.position + 1)
        self.of_pixel, self.of_group, self.of_tap, self.at = (
            Signal(place, name=name) for name in ("of_pixel", "of_group", "of_tap", "at")
        )
        self.row_address, self.row_after = Signal(sizes.address), Signal(sizes.address)
        self.weights, self.table = Signal(sizes.weights), Signal(sizes.table)
        self.out_pixel, self.out = Signal(sizes.address), Signal(sizes.address)
        self.left = Signal(sizes.channels)
        self.first_pixel = Signal()

        self.ends_tap, self.ends_row, self.ends_group = Signal(), Signal(), Signal()
        self.ends_pixel, self.ends_job = Signal(), Signal()
        self.in_group = Signal(4)  # words of LANES outputs that a group has, less 1
        self.quads = Signal(4)
        others, rest = Signal(sizes.channels), Signal(sizes.channels)  # after the first channel; in words
        m.d.comb += [
            self.row_after.eq(self.row_address + job.row_bytes),
            self.ends_tap.eq(self.vector == job.vectors),
            self.ends_row.eq(self.ends_tap & (self.tap == job.taps)),
            self.ends_group.eq(self.ends_row & (self.row == job.rows)),
            self.ends_pixel.eq(self.ends_group & (self.group == job.groups)),
            self.ends_job.eq(self.ends_pixel & (self.pixel == job.pixels)),
            others.eq(self.left - 1),
            rest.eq(others[QUAD_BITS:]),
        ]
        if sizes.outputs > LANES:
            m.d.comb += [
                self.in_group.eq(Mux(job.diagonal, 0, sizes.outputs // LANES - 1)),
                self.quads.eq(Mux(rest < self.in_group, rest, self.in_group)),
            ]
        self.step = Signal(sizes.step)
        tag = self.step.tag
        m.d.comb += [
            self.step.first.eq((self.vector == 0) & (self.tap == 0) & (self.row == 0)),
            self.step.last.eq(self.ends_group),
            self.step.maximum.eq(job.maximum),
            self.step.inside.eq((self.row >= job.above) & (self.row < job.below)),
            self.step.row.eq(self.row_address),
            self.step.row_bytes.eq(job.row_bytes),
            self.step.position.eq(self.at),
            self.step.fill.eq(job.fill),
            self.step.weights.eq(self.weights),
            tag.out.eq(self.out),
            tag.left.eq(self.left),
            tag.quads.eq(self.quads),
            tag.table.eq(self.table),
            tag.uniform.eq(job.uniform),
            tag.to_sums.eq(job.to_sums),
            tag.fresh.eq(job.fresh & self.first_pixel),
            tag.done.eq(self.ends_job),
            tag.zero.eq(job.zero),
            tag.low.eq(job.low),
            tag.high.eq(job.high),
        ]

    def begin(self, m: Module, job: Any) -> None:
        """Stand before the first step of a job."""
        m.d.sync += [each.eq(0) for each in (self.pixel, self.group, self.row, self.tap, self.vector)]
        m.d.sync += [each.eq(job.first) for each in (self.of_pixel, self.of_group, self.of_tap, self.at)]
        m.d.sync += [
            self.row_address.eq(job.address),
            self.weights.eq(job.weights),
            self.table.eq(job.table),
            self.out_pixel.eq(job.out),
            self.out.eq(job.out),
            self.left.eq(job.channels),
            self.first_pixel.eq(1),
        ]

    def advance(self, m: Module) -> None:
        """Go on to the next step."""
        job = self.job
        with m.If(~self.ends_tap):
            m.d.sync += [self.vector.eq(self.vector + 1), self.at.eq(self.at + LANES)]
        with m.Else():
            m.d.sync += self.vector.eq(0)
            self._next_tap(m)
        m.d.sync += self.weights.eq(self.weights + 1)
        with m.If(self.ends_group & (job.uniform | self.ends_pixel)):
            m.d.sync += self.weights.eq(job.weights)

    def _next_tap(self, m: Module) -> None:
        job = self.job
        with m.If(~self.ends_row):
            further = self.of_tap + job.tap_step
            m.d.sync += [self.tap.eq(self.tap + 1), self.of_tap.eq(further), self.at.eq(further)]
        with m.Else():
            m.d.sync += self.tap.eq(0)
            with m.If(~self.ends_group):
                m.d.sync += [self.row.eq(self.row + 1), self.of_tap.eq(self.of_group), self.at.eq(self.of_group)]
                self._next_row(m)
            with m.Else():
                m.d.sync += [self.row.eq(0), self.row_address.eq(job.address)]
                self._next_group(m)

    def _next_row(self, m: Module) -> None:
        """Rows lie in a ring; above the picture the first one waits."""
        job = self.job
        with m.If(self.row >= job.above):
            m.d.sync += self.row_address.eq(Mux(self.row_after == job.ring_end, job.ring, self.row_after))

    def _next_group(self, m: Module) -> None:
        job = self.job
        words = self.in_group + 1
        with m.If(~self.ends_pixel):
            place = self.of_group + Mux(job.diagonal, LANES, 0)
            m.d.sync += [each.eq(place) for each in (self.of_group, self.of_tap, self.at)]
            m.d.sync += [
                self.group.eq(self.group + 1),
                self.out.eq(self.out + (words << QUAD_BITS)),
                self.left.eq(self.left - (words << QUAD_BITS)),
            ]
            with m.If(~job.uniform):
                m.d.sync += self.table.eq(self.table + words)
        with m.Else():
            place, out = self.of_pixel + job.step, self.out_pixel + job.out_step
            m.d.sync += [each.eq(place) for each in (self.of_pixel, self.of_group, self.of_tap, self.at)]
            m.d.sync += [
                self.pixel.eq(self.pixel + 1),
                self.group.eq(0),
                self.out_pixel.eq(out),
                self.out.eq(out),
                self.left.eq(job.channels),
                self.table.eq(job.table),
                self.first_pixel.eq(0),
            ]
