"""Quoted figures: what the paper's text says of them holds."""

from dpdefocus.evaluation.published_table import TABLE_1


def test_the_papers_method_is_best_in_every_column_as_it_says():
    ours = TABLE_1["paper"]
    for name, row in TABLE_1.items():
        for score, best in ours._asdict().items():
            if isinstance(best, float) and (value := getattr(row, score)) is not None:
                better = value <= best if score in ("psnr", "ssim") else value >= best
                assert better, f"{name}: {score}"


def test_methods_that_make_no_map_or_no_image_have_no_figure_for_it():
    images, maps = ("psnr", "ssim", "mae"), ("aiwe1", "aiwe2", "spearman")
    for name, row in TABLE_1.items():
        has_image, has_map = (
            {getattr(row, score) is not None for score in scores} for scores in (images, maps)
        )
        assert len(has_image) == len(has_map) == 1
        assert has_image == {name in ("wiener", "dpdnet", "paper", "paper_guided")}
        assert has_map == {name != "dpdnet"}
