"""What deploy/kubernetes says, as far as it can be known without a cluster: its parts name each other, and Dagster runs
as it does on one machine but for the launcher. With the marker `chart`, which needs the group of that name and the
chart: everything has the form that Kubernetes reads, and the official chart takes the values."""

import importlib
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import ROOT

HERE = ROOT / "deploy" / "kubernetes"
MANIFESTS = sorted([*HERE.glob("manifests*/*.yaml"), HERE / "migrate.yaml"])
KUBERNETES = ("1.29", "1.34")
IMAGE = "registry.example.com/draggonnb"
PULL = "helm pull dagster --repo https://dagster-io.github.io/helm --version 1.13.27"


def _documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def _pods(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Specs of what runs, whatever makes it."""
    found = []
    for document in documents:
        spec = document["spec"].get("jobTemplate", document).get("spec", {}) if "spec" in document else {}
        if "template" in spec:
            found.append(spec["template"]["spec"])
    return found


OUR_PODS = [pod for path in MANIFESTS for pod in _pods(_documents(path))]


@pytest.mark.chart
@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_manifest_has_no_field_that_kubernetes_does_not_know(path: Path, version: str):
    documents = _documents(path)

    assert documents
    for document in documents:
        _package("kubernetes-validate").validate(document, version, strict=True)


@pytest.mark.chart
def test_a_misspelt_field_would_be_found():
    [deployment] = [one for one in _documents(HERE / "manifests" / "api.yaml") if one["kind"] == "Deployment"]
    deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}

    with pytest.raises(_package("kubernetes-validate").ValidationError, match="readinesProbe"):
        _package("kubernetes-validate").validate(deployment, KUBERNETES[-1], strict=True)


def test_every_pod_of_ours_is_locked_up_and_takes_the_same_settings_and_image():
    assert len(OUR_PODS) == 4

    for pod in OUR_PODS:
        [container] = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert container["envFrom"] == [{"configMapRef": {"name": "draggonnb"}}, {"secretRef": {"name": "draggonnb"}}]
        assert container["image"].split(":")[0] == IMAGE
        assert container["resources"]["limits"]["memory"]


def test_the_image_runs_as_the_user_that_the_pods_name():
    assert "--uid 10001 " in (ROOT / "deploy" / "Dockerfile").read_text()


def test_the_world_reaches_the_paths_that_caddy_opens_and_no_others():
    [ingress] = _documents(HERE / "manifests" / "ingress.yaml")
    line = re.search(r"@public path (.*)", (ROOT / "deploy" / "Caddyfile").read_text())
    assert line

    paths = [(one["path"], one["pathType"]) for one in ingress["spec"]["rules"][0]["http"]["paths"]]

    opened = {(path.removesuffix("/*"), "Prefix" if path.endswith("/*") else "Exact") for path in line[1].split()}
    assert len(paths) == len(opened)
    assert set(paths) == opened


def test_dagster_runs_as_on_one_machine_but_for_the_launcher():
    root = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    pods = yaml.safe_load((HERE / "dagster.yaml").read_text())

    launcher = pods.pop("run_launcher")

    assert root.pop("run_launcher")["class"] == "DefaultRunLauncher"
    assert pods == root
    assert (launcher["module"], launcher["class"]) == ("dagster_k8s", "K8sRunLauncher")


def test_a_run_gets_the_settings_the_state_and_the_locks_of_every_other_pod():
    config = yaml.safe_load((HERE / "dagster.yaml").read_text())["run_launcher"]["config"]
    values = yaml.safe_load((HERE / "values.yaml").read_text())
    pod, container = (config["run_k8s_config"][f"{what}_config"] for what in ("pod_spec", "container"))

    assert (config["env_config_maps"], config["env_secrets"]) == (["draggonnb"], ["draggonnb"])
    assert config["volumes"] == OUR_PODS[0]["volumes"]
    assert config["volume_mounts"] == OUR_PODS[0]["containers"][0]["volumeMounts"]
    assert (pod["security_context"]["run_as_user"], pod["automount_service_account_token"]) == (10001, False)
    assert container["security_context"]["capabilities"] == {"drop": ["ALL"]}
    mounted = [mount["mountPath"] for mount in values["dagsterDaemon"]["volumeMounts"] if mount["name"] == "instance"]
    assert mounted == [config["dagster_home"]]
    assert values["dagsterDaemon"]["volumes"][0]["configMap"]["name"] == config["instance_config_map"]


@pytest.mark.chart
@pytest.mark.parametrize("names", [["values.yaml"], ["values.yaml", "values-celery.yaml"]], ids=["pods", "celery"])
def test_the_official_chart_takes_the_values_and_renders_what_kubernetes_reads(names: list[str]):
    documents = _rendered(names)

    kinds = sorted(one["kind"] for one in documents if one["kind"] in ("Deployment", "StatefulSet", "Role"))
    roles = 2 if len(names) == 1 else 0  # only who makes pods for runs has rights
    assert kinds == ["Deployment"] * 3 + ["Role"] * roles
    for document in documents:
        _package("kubernetes-validate").validate(document, KUBERNETES[-1], strict=True)
    for pod in _pods(documents):
        [container] = pod["containers"]
        assert container["image"] == f"{IMAGE}:0.1.0"
        assert {"name": "DAGSTER_HOME", "value": "/etc/dagster"} in container["env"]
        assert pod["securityContext"]["runAsUser"] == 10001
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"name": "instance", "mountPath": "/etc/dagster", "readOnly": True} in container["volumeMounts"]
    workspace = [one["data"]["workspace.yaml"] for one in documents if "workspace.yaml" in (one.get("data") or {})]
    assert [yaml.safe_load(text)["load_from"][0]["grpc_server"]["port"] for text in workspace] == [4000]


def _rendered(names: list[str]) -> list[dict[str, Any]]:
    chart = os.environ.get("DRAGGONNB_DAGSTER_CHART")
    if not chart:
        pytest.fail(f"DRAGGONNB_DAGSTER_CHART names no chart, a folder or .tgz: {PULL}")
    values: dict[str, Any] = {}
    for name in names:
        values = _merged(values, yaml.safe_load((HERE / name).read_text()))
    with _package("helm-python-sdk").Chart.load(chart) as opened:
        opened.validate_schema(opened.merge_values(values))
        texts = opened.render(values=values, name="dagster", namespace="draggonnb")
    rendered = [text for path, text in texts.items() if path.endswith(".yaml")]
    return [document for text in rendered for document in yaml.safe_load_all(text) if document]


def _package(name: str) -> Any:
    """Of the group `chart`, which is too large to be installed for everybody."""
    try:
        return importlib.import_module(name.removesuffix("-sdk").replace("-", "_"))
    except ImportError:
        pytest.fail(f"the package {name} is missing: uv sync --inexact --group dev --group chart")


def _merged(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """As helm does with several files of values."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
