"""Classes of cells.

in     results/P/blocks/measure/0000.parquet …, plate map or annotations
out    results/P/classifier/                    classifier, confusion matrix, scores, weights,
                                                kinds that were compared, learning curve
       results/P/blocks/classify/0000.parquet …    class and probability of each cell
"""


rule train_classifier:
    """A classifier of cells is chosen, trained and judged, by wells that were held out."""
    input:
        tables=block_tables("measure"),
        ingest_tables=block_tables("ingest"),
        segment_tables=block_tables("segment"),
        inspection="<results>/{plate}/inspection.json",
        plate_map=of_plate("plate_map"),
        annotations=of_plate("annotations"),
    output:
        classifier="<results>/{plate}/classifier/classifier.safetensors",
        confusion=report(
            "<results>/{plate}/classifier/confusion.tsv",
            caption="captions/confusion.rst",
            category="Classes",
            labels={"plate": "{plate}", "shows": "confusion matrix"},
        ),
        scores="<results>/{plate}/classifier/scores.json",
        importance=report(
            "<results>/{plate}/classifier/importance.tsv",
            caption="captions/importance.rst",
            category="Classes",
            labels={"plate": "{plate}", "shows": "weights of the features"},
        ),
        classes="<results>/{plate}/classifier/classes.tsv",
        models="<results>/{plate}/classifier/models.tsv",
        learning_curve="<results>/{plate}/classifier/learning_curve.tsv",
    log:
        "<logs>/train_classifier/{plate}.log",
    benchmark:
        "<benchmarks>/train_classifier/{plate}.tsv"
    conda:
        "../envs/analysis.yaml"
    params:
        options=config["classify"],
        leave_out=config["profile"]["leave_out"],
        seed=config["seed"],
        code=code_of("train_classifier"),
    script:
        "../scripts/train_classifier.py"


rule classify_block:
    """Each cell is assigned its most probable class."""
    input:
        classifier="<results>/{plate}/classifier/classifier.safetensors",
        measure_table="<results>/{plate}/blocks/measure/{block}.parquet",
    output:
        table="<results>/{plate}/blocks/classify/{block}.parquet",
    log:
        "<logs>/classify_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/classify_block/{plate}/{block}.tsv"
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("classify_block"),
    script:
        "../scripts/classify_block.py"
