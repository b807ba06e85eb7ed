"""One run, many partitions: how assets per organization and day are worked on in few runs.

Lives here: `tenant_asset` (declares one asset and its step), `tenant_chain` (makes the assets of one workflow one
Dagster step that serves any set of partitions) and the verdict that fails exactly the partitions that failed.
Does not live here: what a step does (`workflows/`), which assets exist (`assets/`), how events are written
(`tenant_events.py`).

Why a chain is one Dagster step and not one per asset (Dagster 1.13): Dagster skips every step below one that yielded
no output, and an output of a partitioned asset materializes the run's whole range. A step that fails would stop the
other tenants' next steps, and "re-execute from failure" would repeat only the last step. In one step each asset goes
on with the organizations that are left, and both kinds of re-execution do what is missing and nothing else.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Any, Generic, TypeVar

import dagster as dg

from draggonnb_pipelines.domain.reports import KeyReport, PartitionKey, StepReport
from draggonnb_pipelines.partitions import organization_day, parse
from draggonnb_pipelines.tenant_events import (
    check_evaluation,
    materialization,
    materialized_by_run_group,
    verdict,
    write_planned_events,
)

ConfigT = TypeVar("ConfigT", bound=dg.Config | None)


@dataclass(frozen=True)
class TenantRun(Generic[ConfigT]):
    """What a step may know about the run that it is part of.

    Args:
        run_id: Dagster's id of this run.
        root_run_id: of the first run that this one repeats; its own where it repeats none.
        keys: the partitions to work on, in order; organizations that failed in an earlier step are gone from it.
        config: the run's config; None for a chain that has none.
        log: the run's log, shown in the UI.
        is_range: the partitions were chosen in the UI or by a backfill and not by a batch in the config.
        is_repeat: re-executed or retried: `keys` is what the runs before left undone.
    """

    run_id: str
    root_run_id: str
    keys: tuple[PartitionKey, ...]
    config: ConfigT
    log: Any
    is_range: bool = False
    is_repeat: bool = False

    @property
    def slugs(self) -> list[str]:
        """The organizations of `keys`, each once, in order."""
        return list(dict.fromkeys(key.slug for key in self.keys))


@dataclass(frozen=True)
class TenantStep:
    """One asset and the function that works on it; call it like that function in tests."""

    spec: dg.AssetSpec
    work: Callable[..., StepReport | Iterator[StepReport]]
    checks: tuple[dg.AssetCheckSpec, ...]
    skip_when: Callable[[TenantRun[Any]], bool] | None = None

    @property
    def name(self) -> str:
        return self.spec.key.to_user_string()

    def __call__(self, run: TenantRun[Any], **resources: object) -> StepReport | Iterator[StepReport]:
        return self.work(run, **resources)


def tenant_asset(
    *,
    group: str,
    description: str,
    deps: Sequence[str] = (),
    kinds: Iterable[str] = (),
    owners: Sequence[str] = (),
    code_version: str | None = None,
    column_schema: Mapping[str, str] | dg.TableSchema | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    checks: Mapping[str, str] | None = None,
    skip_when: Callable[[TenantRun[Any]], bool] | None = None,
    name: str | None = None,
    partitions_def: dg.PartitionsDefinition = organization_day,
) -> Callable[[Callable[..., StepReport | Iterator[StepReport]]], TenantStep]:
    """Declares an asset per organization and day; the decorated function is its step, its name the asset's.

    With `partitions_def=organizations` it is one per organization, and its keys have no day.

    The function takes a `TenantRun` and then resources by their keys. It returns a `StepReport`, or yields several
    where it can tell early what is done: those partitions are stored at once and survive a kill.

    Args:
        deps: keys of the assets that this one is made of, in the same chain or elsewhere.
        column_schema: the columns of the table behind it, as name -> type.
        checks: name -> description of the checks that the step's `KeyReport`s carry; they block what is downstream.
        skip_when: a launch by config for which this asset stays as it is. A job must select whole chains: Dagster
            cannot start a run without partitions if an asset that it does not select is upstream.
    """

    def declare(work: Callable[..., StepReport | Iterator[StepReport]]) -> TenantStep:
        key = name or work.__name__
        schema = {} if column_schema is None else {"dagster/column_schema": _table_schema(column_schema)}
        spec = dg.AssetSpec(
            key,
            deps=list(deps),
            description=description,
            group_name=group,
            kinds=set(kinds),
            owners=list(owners),
            code_version=code_version,
            metadata={**schema, **(metadata or {})},
            tags=dict(tags or {}),
            skippable=True,
            partitions_def=partitions_def,
        )
        declared = tuple(
            dg.AssetCheckSpec(check, asset=key, description=text, blocking=True)
            for check, text in (checks or {}).items()
        )
        return TenantStep(spec, work, declared, skip_when)

    return declare


def _table_schema(columns: Mapping[str, str] | dg.TableSchema) -> dg.TableSchema:
    if isinstance(columns, dg.TableSchema):
        return columns
    return dg.TableSchema(columns=[dg.TableColumn(column, type_) for column, type_ in columns.items()])


def tenant_chain(
    name: str,
    steps: Sequence[TenantStep],
    *,
    keys: Callable[..., Iterable[PartitionKey]],
    config: type[dg.Config] | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    op_tags: Mapping[str, Any] | None = None,
) -> dg.AssetsDefinition:
    """The assets of one workflow, in the order in which their steps run, for any set of partitions in one run.

    Launched by a sensor or schedule: a RunRequest without partition key, whose config says what to do; `keys` is
    then asked for the partitions. Launched in the UI or by a backfill: the chosen partitions, `keys` is not asked.

    Args:
        name: of the Dagster step (a verb): run config is `{"ops": {name: {"config": ...}}}`.
        keys: from a `TenantRun` without keys, and resources by their keys, the partitions of the batch; a mapping
            says of each which assets it concerns, by their names.
        retry_policy: for failures of the whole step, such as a master database that is away. Failed organizations
            never cause a retry: their rows come again by themselves, or by re-execution.
    """
    resources = {parameter for work in [keys, *(step.work for step in steps)] for parameter in _resource_keys(work)}

    def work_through(context: dg.AssetExecutionContext, settings: dg.Config | None) -> Iterator[Any]:
        chosen = [step for step in steps if step.spec.key in context.selected_asset_keys]
        yield from _Pass(context, settings).work_through(chosen, keys)

    def compute(context: dg.AssetExecutionContext) -> Iterator[Any]:
        yield from work_through(context, None)

    def compute_with_config(context: dg.AssetExecutionContext, config: dg.Config) -> Iterator[Any]:
        yield from work_through(context, config)

    # Dagster reads the parameter's annotation to build the config schema, so it must be the chain's own class.
    compute_with_config.__annotations__["config"] = config
    return dg.multi_asset(
        name=name,
        specs=[step.spec for step in steps],
        check_specs=[check for step in steps for check in step.checks],
        can_subset=True,
        partitions_def=steps[0].spec.partitions_def,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys=resources,
        retry_policy=retry_policy,
        op_tags=op_tags,
    )(compute_with_config if config else compute)


def _resource_keys(work: Callable[..., object]) -> list[str]:
    """Every parameter after the first (the TenantRun) names a resource."""
    return list(signature(work).parameters)[1:]


@dataclass
class _Pass:
    """One execution of a chain: what has failed so far, and what earlier runs of the group have done already.

    `asked` are all its keys, with those that came while a step was at work; `stopped` those that no further step works
    on; `renewed` those of which an earlier step of this execution has made something, so that what earlier runs have
    made of it later on is out of date.
    """

    context: dg.AssetExecutionContext
    config: dg.Config | None
    asked: set[PartitionKey] = field(default_factory=set)
    failed: dict[PartitionKey, tuple[str, str]] = field(default_factory=dict)
    stopped: set[PartitionKey] = field(default_factory=set)
    renewed: set[PartitionKey] = field(default_factory=set)

    def work_through(self, steps: Sequence[TenantStep], keys: Callable[..., Iterable[PartitionKey]]) -> Iterator[Any]:
        context = self.context
        is_range = context.has_partition_key or context.has_partition_key_range
        is_repeat = context.run.parent_run_id is not None or context.op_execution_context.retry_number > 0
        root_id = context.run.root_run_id or context.run.run_id
        run = TenantRun(context.run.run_id, root_id, (), self.config, context.log, is_range, is_repeat)
        asked = [parse(key) for key in context.partition_keys] if is_range else self._call(keys, run)
        wanted = tuple(dict.fromkeys(asked))
        self.asked.update(wanted)
        concerns = asked if isinstance(asked, Mapping) else {}
        before = materialized_by_run_group(context.instance, context.run) if is_repeat else {}
        for step in steps:
            if step.skip_when and not is_range and step.skip_when(run):
                continue
            left = tuple(
                key for key in wanted if key not in self.stopped and step.name in concerns.get(key, (step.name,))
            )
            ready = {key: event for key, event in before.get(step.spec.key, {}).items() if key not in self.renewed}
            if is_range:
                # Dagster planned these partitions anew, so without an event they would show as failed.
                yield from (ready[key] for key in left if key in ready)
            unmade = tuple(key for key in left if key not in ready)
            # Of partitions that are out, a launch by config may hold work that goes on: one lead of ten has failed.
            if unmade or (wanted and not left and not is_range and not concerns):
                yield from self._work_on(step, replace(run, keys=unmade))
        if self.failed:
            raise verdict(self.failed, total=len(self.asked))

    def _work_on(self, step: TenantStep, run: TenantRun[Any]) -> Iterator[Any]:
        """Plans the keys, runs the step, and turns its reports into events as they come."""
        started = time.monotonic()
        if not run.is_range:
            write_planned_events(self.context, step.spec.key, run.keys)
        answer = self._call(step.work, run)
        open_keys = dict.fromkeys(run.keys)
        succeeded = failed = waiting = 0
        for report in [answer] if isinstance(answer, StepReport) else answer:
            if newcomers := sorted(report.newcomers.difference(run.keys)):
                write_planned_events(self.context, step.spec.key, newcomers)
                open_keys |= dict.fromkeys(newcomers)
                self.asked.update(newcomers)
            _refuse_strangers(step, report, open_keys)
            for key, done in report.done.items():
                del open_keys[key]
                self.renewed.add(key)
                succeeded += 1
                yield from self._events(step, key, done)
            for key, reason in report.failed.items():
                del open_keys[key]
                self._fail(step, key, reason, is_end=key not in report.goes_on)
                failed += 1
            for key in report.waiting:
                del open_keys[key]
                self.stopped.add(key)
                waiting += 1
        for key in open_keys:
            self._fail(step, key, "the step did not report on this partition", is_end=True)
            failed += 1
        self.context.log.info(
            f"{step.name}: {succeeded} done, {failed} failed{f', {waiting} wait' if waiting else ''}"
            f" in {time.monotonic() - started:.1f} s"
        )

    def _fail(self, step: TenantStep, key: PartitionKey, reason: str, *, is_end: bool) -> None:
        self.failed.setdefault(key, (step.name, reason))
        if is_end:
            self.stopped.add(key)

    def _events(self, step: TenantStep, key: PartitionKey, report: KeyReport) -> Iterator[Any]:
        yield materialization(step.spec.key, key, report)
        for outcome in report.checks:
            yield check_evaluation(step.spec.key, key, outcome)

    def _call(self, work: Callable[..., Any], run: TenantRun[Any]) -> Any:
        resources = {name: getattr(self.context.resources, name) for name in _resource_keys(work)}
        return work(run, **resources)


def _refuse_strangers(step: TenantStep, report: StepReport, expected: Mapping[PartitionKey, None]) -> None:
    """A report on a key that was not asked for (or a second one) is a bug: it would paint the wrong partition."""
    strangers = [key for key in [*report.done, *report.failed, *report.waiting] if key not in expected]
    if strangers:
        raise ValueError(f"{step.name} reported on partitions that it was not given, or twice: {strangers[:5]}")
