"""Entry points: from the words of `--entrypoint` to the commands in the manifest.

`command` splits `[NAME=]COMMAND`, and `resolve` finds the program that its first word means. For the other words:
`words` tells the role of each (an option, a script, a module), `names` finds the file that one names, and `arguments`
writes them for the host. `function` finds `module:function`, `script` the program that runs a file of the app,
`own_files` the files here that an entry point adds to the app. Notes on scripts of the app come from `missing_imports`,
`data_files` and `shell_script`.

It may import `root` and `inputs`, and does not import conda.
"""
