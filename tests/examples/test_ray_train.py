"""The processes that Ray Train starts take the places that `torchrun` would give them."""

from examples.ray_train import environment
from training.launch import Launch


def test_training_takes_a_worker_of_ray_for_a_process_of_torchrun() -> None:
    set_by_ray = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "host", "MASTER_PORT": "1"}
    assert Launch.from_env(set_by_ray) == Launch()
    seen = environment(set_by_ray, 5000)
    assert Launch.from_env(seen) == Launch(rank=3, local_rank=1, count=4)
    assert (seen["MASTER_ADDR"], seen["MASTER_PORT"]) == ("host", "5000")
