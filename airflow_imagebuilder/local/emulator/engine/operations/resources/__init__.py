"""Operations on recipes, components, workflows, configurations and pipelines."""
