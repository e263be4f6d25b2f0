"""`python -m training recipes` and `settings`: what there is to start from and to set."""

import click


@click.command()
@click.argument("name", required=False)
def recipes(name: str | None) -> None:
    """Lists the recipes, or shows what one of them needs, takes and reaches."""
    from training.config.config import read_recipe, recipe_header, recipe_names

    if name is None:
        for known in recipe_names():
            click.echo(f"{known:<12} {recipe_header(known).partition(chr(10))[0]}")
        return
    read_recipe(name)
    click.echo(recipe_header(name))


@click.command()
@click.option("--recipe", help="Show the settings of this recipe.")
@click.option("--pretrain", is_flag=True, help="Show the settings of pretrain.")
def settings(recipe: str | None, pretrain: bool) -> None:
    """Lists every setting that --set and a TOML file may change, with its value."""
    from training.config.config import build_config, flatten, read_recipe
    from training.language_model.config import PretrainConfig

    config = PretrainConfig() if pretrain else build_config(read_recipe(recipe) if recipe else {})
    for key, value in flatten(config).items():
        click.echo(f"{key} = {value}")
