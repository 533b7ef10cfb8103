"""Hydra finds this by the namespace `hydra_plugins`: verl's entry point can then name our configs."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class VideossrSearchPathPlugin(SearchPathPlugin):
    """Lets `python -m verl.trainer.main_ppo --config-name videossr_grpo` work with nothing but the wheel."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append(provider="videossr", path="pkg://videossr_verl.train.config")
