"""The servers that `letuin up` and the tests start: real, on 127.0.0.1, gone with the process that started them."""
