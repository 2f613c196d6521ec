rule train:
    input:
        expand(
            "training/{network}/{network}.safetensors", network=["nuclei", "denoise"]
        ),


rule train_network:
    input:
        config="config/training/{network}.yaml",
        initial=initial_weights,
        data=os.environ.get("CELLPIPE_DATA", "data"),
    output:
        weights="training/{network}/{network}.safetensors",
        card="training/{network}/{network}.json",
    log:
        "<logs>/train_network/{network}.log",
    benchmark:
        "<benchmarks>/train_network/{network}.tsv"
    conda:
        "../envs/segment.yaml"
    threads: 2
    resources:
        mem_mb=6000,
        runtime=180,
    params:
        work="training/{network}/run",
    script:
        "../scripts/train_network.py"
