"""What `deploy/` has for Ray clusters is well-formed, confined and without secrets; its commands are this program's."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from ray.autoscaler._private.util import prepare_config, validate_config
from ruamel.yaml import YAML

from audiomnist.cli import main

DEPLOY = Path(__file__).parents[3] / "deploy"
JOB, CRON_JOB, NODES = "audiomnist-rayjob.yaml", "audiomnist-raycronjob.yaml", "ray-cluster.yaml"
IMAGE = (DEPLOY / "Dockerfile.ray").read_text(encoding="utf-8")
# Fields of the custom resources of KubeRay 1.6, as its helm chart defines them (ray.io_rayjobs.yaml and
# ray.io_raycronjobs.yaml in kuberay-operator/crds), and of pods, as Kubernetes does.
CRON_FIELDS = {"schedule", "timeZone", "suspend", "jobTemplate"}
JOB_FIELDS = {
    *("activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy", "entrypoint"),
    *("entrypointNumCpus", "entrypointNumGpus", "entrypointResources", "jobId", "managedBy", "metadata"),
    *("preRunningDeadlineSeconds", "rayClusterSpec", "runtimeEnvYAML", "shutdownAfterJobFinishes", "submissionMode"),
    *("submitterConfig", "submitterPodTemplate", "suspend", "ttlSecondsAfterFinished"),
}
CLUSTER_FIELDS = {
    *("authOptions", "autoscalerOptions", "enableInTreeAutoscaling", "headGroupSpec", "rayVersion", "workerGroupSpecs"),
}
HEAD_FIELDS = {"enableIngress", "headService", "rayStartParams", "serviceType", "template"}
WORKER_FIELDS = {
    *(
        "groupName",
        "maxReplicas",
        "minReplicas",
        "numOfHosts",
        "rayStartParams",
        "replicas",
        "scaleStrategy",
        "template",
    ),
}
POD_FIELDS = {
    *("automountServiceAccountToken", "containers", "nodeSelector", "restartPolicy", "securityContext"),
    *("serviceAccountName", "terminationGracePeriodSeconds", "tolerations", "volumes"),
}
CONTAINER_FIELDS = {"env", "envFrom", "image", "name", "resources", "securityContext", "volumeMounts"}


def read(name: str) -> Any:
    """Return what a file of `deploy/` says."""
    return YAML(typ="safe").load(DEPLOY / name)


@pytest.fixture
def job() -> Any:
    """The specification of the job."""
    return read(JOB)["spec"]


@pytest.fixture
def pods(job: Any) -> list[Any]:
    """The specifications of its pods: who submits the job, the head, the workers."""
    cluster = job["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [template["spec"] for template in (job["submitterPodTemplate"], *(group["template"] for group in groups))]


def test_every_field_is_one_of_the_custom_resource(job: Any, pods: list[Any]) -> None:
    """Kubernetes refuses or drops others."""
    cluster = job["rayClusterSpec"]
    assert job.keys() <= JOB_FIELDS
    assert cluster.keys() <= CLUSTER_FIELDS
    assert cluster["headGroupSpec"].keys() <= HEAD_FIELDS
    assert all(group.keys() <= WORKER_FIELDS for group in cluster["workerGroupSpecs"])
    for pod in pods:
        assert pod.keys() <= POD_FIELDS
        assert all(container.keys() <= CONTAINER_FIELDS for container in pod["containers"])


def test_the_nightly_job_is_that_job() -> None:
    """Every night, outside of the hour that summer time skips or repeats."""
    cron = read(CRON_JOB)
    assert (cron["apiVersion"], cron["kind"]) == ("ray.io/v1", "RayCronJob")
    assert cron["spec"].keys() <= CRON_FIELDS
    assert cron["spec"]["jobTemplate"] == read(JOB)["spec"]
    assert re.fullmatch(r"\d\d? [3-5] \* \* \*", cron["spec"]["schedule"])


def test_pods_are_confined(pods: list[Any]) -> None:
    """Not root, no rights, nothing to write to but /tmp, no key to the API of Kubernetes, bounded resources."""
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        (container,) = pod["containers"]
        confined = container["securityContext"]
        assert (confined["allowPrivilegeEscalation"], confined["readOnlyRootFilesystem"]) == (False, True)
        assert confined["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] in volumes] == ["/tmp"]  # noqa: S108


def test_the_user_of_the_pods_is_that_of_the_image(pods: list[Any]) -> None:
    """By number, so that Kubernetes can see that it is not root."""
    users = {(pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) for pod in pods}
    assert {f"USER {user}:{group}\n" for user, group in users} == {IMAGE.splitlines(keepends=True)[-1]}


def test_all_nodes_have_the_version_of_ray_in_the_image(job: Any) -> None:
    """Ray refuses nodes of another one."""
    (version,) = re.findall(r"^FROM rayproject/ray:([\d.]+)-py311-cpu$", IMAGE, re.MULTILINE)
    assert job["rayClusterSpec"]["rayVersion"] == version


@pytest.mark.parametrize("name", [JOB, CRON_JOB, NODES])
def test_ray_asks_for_a_token_and_no_secret_is_in_the_file(name: str) -> None:
    """Ray's ports run what they are sent."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    assert re.search(r"mode: token|RAY_AUTH_MODE=token", text)
    assert not re.search(r"(?i)(secret_access_key|auth_token|password)\s*[:=]\s*[^\s~]", text)


@pytest.mark.parametrize("name", [JOB, CRON_JOB, NODES])
def test_the_command_is_one_that_the_program_takes(name: str) -> None:
    """With the cluster that it runs in."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    (words,) = set(re.findall(r"audiomnist score [^\n']+", text))
    command: Any = typer.main.get_command(main.app)
    score = command.commands["score"]
    with score.make_context("score", shlex.split(words)[2:]) as context:
        assert str(context.params["engine"]) == "ray"
        assert context.params["address"] == "auto"


def test_the_head_leaves_scoring_to_the_workers(job: Any) -> None:
    """It has the command and the table."""
    assert job["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert read(NODES)["available_node_types"]["head"]["resources"] == {"CPU": 0}


def test_ray_up_takes_the_cluster_file() -> None:
    """Ray's own check, with its defaults filled in, finds no fault."""
    validate_config(prepare_config(read(NODES)))


def test_a_fault_in_the_cluster_file_would_be_seen() -> None:
    """The check above can fail: an unknown key is refused."""
    with pytest.raises(Exception, match="no_such_key"):
        validate_config(prepare_config(read(NODES) | {"no_such_key": 1}))
