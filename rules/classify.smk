rule train_classifier:
    input:
        tables=block_tables("measure"),
        ingest_tables=block_tables("ingest"),
        segment_tables=block_tables("segment"),
        inspection="<results>/{plate}/inspection.json",
        plate_map=of_plate("plate_map"),
        annotations=of_plate("annotations"),
    output:
        classifier="<results>/{plate}/classifier/classifier.safetensors",
        confusion="<results>/{plate}/classifier/confusion.tsv",
        scores="<results>/{plate}/classifier/scores.json",
        importance="<results>/{plate}/classifier/importance.tsv",
    log:
        "<logs>/train_classifier/{plate}.log",
    benchmark:
        "<benchmarks>/train_classifier/{plate}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        options=config["classify"],
        leave_out=config["profile"]["leave_out"],
        seed=config["seed"],
        code=code_of("train_classifier"),
    script:
        "../scripts/train_classifier.py"


rule classify_block:
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
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        code=code_of("classify_block"),
    script:
        "../scripts/classify_block.py"
