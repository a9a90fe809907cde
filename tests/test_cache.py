"""How much memory the cache of decoded images may take."""

import pytest

from getam_core.data import cache

GB = 1 << 30


def limits(folder, membership, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return cache.memory_limits(membership, folder)


def test_a_job_s_limit_is_that_of_its_group_or_of_one_around_it(tmp_path):
    files = {
        "memory.max": "9\n",
        "slurm/memory.max": "8\n",
        "slurm/job/memory.max": "max\n",
        "slurm/other/memory.max": "7\n",
        "memory/memory.max": "6\n",
    }
    assert limits(tmp_path, "0::/slurm/job\n", files) == [8, 9]
    assert cache.memory_limits("0::/\n", tmp_path) == [9]


def test_limits_of_version_1_are_found_under_the_path_or_where_a_container_sees_them(tmp_path):
    files = {"memory/memory.limit_in_bytes": "5\n", "memory/job/memory.limit_in_bytes": "4\n"}
    lines = "9:name=systemd:/x:y\n5:cpu,cpuacct:/job\n4:memory:{}\n0::/\n"
    assert limits(tmp_path, lines.format("/job"), files) == [4, 5]
    assert limits(tmp_path, lines.format("/docker/1f"), files) == [5]


@pytest.mark.parametrize(
    ("allowed", "processes", "capacity"),
    [([], None, 8), ([], "2", 8), ([], "8", 2), ([16 * GB, 24 * GB], "1", 4), ([8 * GB], "4", 0.5)],
)
def test_processes_share_a_quarter_of_what_is_allowed(monkeypatch, allowed, processes, capacity):
    monkeypatch.setattr(cache, "memory_limits", lambda _: allowed)
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 64 * GB // 4096}
    monkeypatch.setattr(cache.os, "sysconf", sizes.__getitem__)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if processes:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    assert cache.ImageCache(1, planes=False).capacity == capacity * GB
