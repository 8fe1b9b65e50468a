"""Where the files of documents are kept."""
