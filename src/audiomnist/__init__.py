"""Spoken digits: a DVC pipeline that trains five models, and a batch scorer.

One package per stage of dvc.yaml, named for it; a package that several stages share is named for the data that it owns.

    core          errors, atomic writes, parameters, processes
    audio         bytes to samples
    corpus        which recordings there are, and which of them train, validate and test
    reviewed      recordings that people have reviewed, and the split of a corpus with them
    ingest        stage ingest
    synthesis     synthetic speakers
    features      stage featurize, and the dataset that training reads
    transcripts   the table of transcripts, and the dataset that training reads
    logprobs      the table of the recognizer's log-probabilities, and the dataset that training reads
    asr           stages transcribe and logprobs
    validation    stages check and validate
    models        the networks
    cascade       stage cascade
    training      stage train
    export        stage export
    serving       the served model, without PyTorch
    evaluation    stage evaluate
    robustness    stage robustness
    protocols     cross-validation on other splits
    report        stages compare and select, tables, differences between revisions
    page          stage page: the report as one HTML file, the model card
    scoring       the batch scorer
    microphone    recording digits, and labelling what is heard
    review        people hear clips of the scorer's table, and judge them
    night         a run of the scorer as one HTML file
    cli           the command `audiomnist`

A package imports only packages of the layers below its own; pyproject.toml has the layers.
"""
