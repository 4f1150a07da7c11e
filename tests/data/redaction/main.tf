terraform {
  required_version = ">= 1.5"
}
variable "db_password" {
  type      = string
  sensitive = true
  default   = "tf-d3fault"
}
variable "region" {
  default = "eu-central-1"
}
resource "aws_db_instance" "main" {
  engine         = "postgres"
  username       = "app"
  password       = var.db_password
  kms_key_id     = aws_kms_key.main.arn
}
resource "aws_instance" "web" {
  key_name  = "deploy"
  user_data = <<-EOF
    #!/bin/sh
    export API_TOKEN=us3r-data-tok
    mysql -u root -pr00tpw -e "select 1"
  EOF
}
provider "grafana" {
  auth = "gl4fana:adm1n"
}
