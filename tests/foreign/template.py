"""Reads template.yaml as AWS does: through AWS's own SAM translator.

translate(path, parameters) is the CloudFormation template that SAM makes of it.
As a program it prints that template as JSON; further arguments are Name=value
parameters.
"""

import json
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

CODE = {"Bucket": "code", "Key": "function.zip"}


def parse(path):
    with open(path) as f:
        return yaml_parse(f)


def translate(path, parameters):
    template = parse(path)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = CODE  # what sam package writes
    return Translator({}, Parser()).translate(template, parameters)


if __name__ == "__main__":
    values = dict(p.split("=", 1) for p in sys.argv[2:])
    json.dump(translate(sys.argv[1], values), sys.stdout, indent=1)
